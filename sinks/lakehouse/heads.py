"""The newest state of each table that the sink fills: cheap to ask for.

From the catalog and one metadata file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sinks.lakehouse.catalog import find_catalog
from sinks.lakehouse.iceberg import walk_back
from sinks.lakehouse.position import read_position
from sinks.lakehouse.refusals import explained
from sinks.lakehouse.tables import SINK_TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyiceberg.table import Table

    from pipelines.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class TableHead:
    """A table at its newest snapshot."""

    table: str
    snapshot_id: int | None
    """None: nothing was ever written."""
    committed_at: datetime | None
    rows: int
    files: int
    bytes: int
    location: str
    next_offsets: Mapping[int, int] = field(default_factory=dict)
    """How far the sink has got in the table's topic; empty before its first commit."""


def read_heads(settings: Settings) -> list[TableHead]:
    """Those of the sink's tables that there are; none where there is no catalog yet.

    TransientError when the catalog cannot be reached.
    """
    namespace = settings.lakehouse.namespace
    with find_catalog(settings) as catalog, explained(settings):
        if catalog is None:
            return []
        return [
            _head(catalog.load_table((namespace, table.name)))
            for table in SINK_TABLES
            if catalog.table_exists((namespace, table.name))
        ]


def _head(table: Table) -> TableHead:
    snapshot = table.current_snapshot()
    summary = snapshot.summary if snapshot is not None else None
    figures = {} if summary is None else summary.additional_properties
    positions = (read_position(one) for one in walk_back(table))
    position = next((one for one in positions if one is not None), None)
    return TableHead(
        table=table.name()[-1],
        snapshot_id=None if snapshot is None else snapshot.snapshot_id,
        committed_at=None
        if snapshot is None
        else datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC),
        rows=int(figures.get("total-records", "0")),
        files=int(figures.get("total-data-files", "0")),
        bytes=int(figures.get("total-files-size", "0")),
        location=table.location(),
        next_offsets={} if position is None else position.next_offsets,
    )
