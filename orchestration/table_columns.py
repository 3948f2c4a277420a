"""The columns of a table as its page shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from sinks.lakehouse.tables import LakeTable


def describe_columns(table: LakeTable) -> dg.TableSchema:
    """What its columns are and mean; told with each commit, it would fill the event log."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=str(column.type),
                description=column.about,
                constraints=dg.TableColumnConstraints(nullable=not column.required),
            )
            for column in table.columns
        ]
    )
