"""How far the sink has got in each of its tables, for checks and for people.

Read from metadata, never from rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sinks.lakehouse.catalog import find_catalog
from sinks.lakehouse.position import Position, count_rows, restore
from sinks.lakehouse.refusals import explained
from sinks.lakehouse.tables import SINK_TABLES, TableName

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class TableProgress:
    """One table; ``next_offsets`` is empty and the rest zero for one that does not exist yet.

    Every record below its partition's next offset is a row or, counted in ``dead_letters``, a dead
    letter. Offsets count Kafka's own marks too, so their sum is not a number of records.
    """

    table: TableName
    exists: bool
    rows: int
    next_offsets: Mapping[int, int]
    dead_letters: int
    committed_at: datetime | None
    """When the newest snapshot was made, on its writer's clock."""


def read_progress(settings: Settings) -> dict[TableName, TableProgress]:
    """Every table of the sink by name, in the order decisions, labels, dead_letters.

    TransientError when the catalog does not answer, SinkError when a table has rows of unknown
    origin. Creates nothing.
    """
    found = {table.name: _nothing(table.name) for table in SINK_TABLES}
    with find_catalog(settings) as catalog, explained(settings):
        if catalog is None:
            return found
        for name in found:
            identifier = (settings.lakehouse.namespace, name)
            if not catalog.table_exists(identifier):
                continue
            table = catalog.load_table(identifier)
            position: Position | None = restore(table)
            snapshot = table.current_snapshot()
            found[name] = TableProgress(
                table=name,
                exists=True,
                rows=count_rows(table),
                next_offsets={} if position is None else dict(position.next_offsets),
                dead_letters=0 if position is None else position.dead_letters,
                committed_at=None
                if snapshot is None
                else datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC),
            )
    return found


def _nothing(name: TableName) -> TableProgress:
    return TableProgress(
        table=name, exists=False, rows=0, next_offsets={}, dead_letters=0, committed_at=None
    )
