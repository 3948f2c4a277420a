"""Whether the tables have the columns that this release writes and reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sinks.lakehouse.catalog import find_catalog
from sinks.lakehouse.refusals import explained
from sinks.lakehouse.schema import plan_changes
from sinks.lakehouse.tables import FEATURES, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyiceberg.catalog import Catalog

    from pipelines.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDifference:
    """One column that is not as declared."""

    table: str
    column: str
    wrong: str
    """missing, other type, or unknown to this release."""


def find_differences(settings: Settings) -> list[ColumnDifference] | None:
    """Compare columns and types; None where there is no table yet.

    SinkError where another tool has changed a column that is in use.
    """
    namespace = settings.lakehouse.namespace
    with find_catalog(settings) as catalog, explained(settings):
        if catalog is None or not any(
            catalog.table_exists((namespace, table.name)) for table in TABLES
        ):
            return None
        words = {"create": "missing", "add": "missing", "widen": "other type"}
        found = [
            ColumnDifference(table=change.table, column=change.name, wrong=words[change.kind])
            for change in plan_changes(catalog, settings.lakehouse, {})
            if change.kind in words
        ]
        return [*found, *_unknown(catalog, namespace)]


def _unknown(catalog: Catalog, namespace: str) -> Iterator[ColumnDifference]:
    for declared in TABLES:
        if catalog.table_exists((namespace, declared.name)):
            known = {column.name for column in declared.columns} | {FEATURES}
            stored = catalog.load_table((namespace, declared.name)).schema().fields
            for name in (field.name for field in stored):
                if name not in known:
                    yield ColumnDifference(table=declared.name, column=name, wrong="unknown")
