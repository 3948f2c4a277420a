"""The sink's work taken back from a Flink job.

From the hand-over on our sink refuses to write. Where the job has ended is found out from the rows,
which are a prefix of each partition as ours are, and stored as the position to go on from.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.errors import SinkError
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.iceberg import walk_back
from sinks.lakehouse.position import TAG, Position, read_position, restore
from sinks.lakehouse.query.opening import open_lake
from sinks.lakehouse.query.plan import quote
from sinks.lakehouse.refusals import explained
from sinks.lakehouse.tables import SINK_TABLES, TableName
from sinks.lakehouse.turn import is_handed_over, pass_to_sink

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from pipelines.settings import Settings


def take_back(settings: Settings) -> dict[TableName, Position]:
    """The tables that are the sink's again, and the positions at which a Flink job has ended.

    The job must have been stopped. SinkError if it still writes, or if a record is there twice.
    """
    moved: dict[TableName, Position] = {}
    with open_catalog(settings) as catalog, explained(settings):
        for one in SINK_TABLES:
            identifier = (settings.lakehouse.namespace, one.name)
            if not catalog.table_exists(identifier):
                continue
            table = catalog.load_table(identifier)
            position = restore(table)
            if position is not None and is_handed_over(table):
                moved[one.name] = _read_end(settings, table, position)
                pass_to_sink(table, moved[one.name])
    return moved


def _read_end(settings: Settings, table: Table, position: Position) -> Position:
    """``position`` moved behind the last row of each partition.

    The table is compared with itself as it was at ``position``, which its tag keeps.
    """
    name = table.name()[-1]
    left = next((one for one in walk_back(table) if read_position(one) is not None), None)
    left = table.snapshot_by_name(TAG) if left is None else left
    assert left is not None  # the position was read from one of them
    before = _count(settings, name, position, as_of=left.snapshot_id)
    ends = dict(position.next_offsets)
    for partition, found in _count(settings, name, position, as_of=None).items():
        old = before.get(partition, _Rows(behind=0, beyond=0, places=0, end=None))
        if old.beyond > 0:
            msg = (
                f"table {name} has rows of an older topic of this name beyond the position of "
                f"partition {partition}: where the Flink job has ended cannot be told from its rows"
            )
            raise SinkError(msg)
        if found.behind != old.behind or found.beyond != found.places:
            msg = (
                f"table {name} has records of partition {partition} twice: the Flink job did not "
                "begin where the sink had ended. Roll the table back to the snapshot before it"
            )
            raise SinkError(msg)
        if found.end is not None:
            ends[partition] = found.end
    return dataclasses.replace(position, next_offsets=ends)


@dataclass(frozen=True, slots=True)
class _Rows:
    """The rows of one partition, on both sides of where the sink had ended."""

    behind: int
    beyond: int
    places: int
    """The different offsets of those beyond."""
    end: int | None
    """Behind the last of those beyond."""


def _count(
    settings: Settings, name: str, position: Position, *, as_of: int | None
) -> dict[int, _Rows]:
    beyond = "FILTER (kafka_offset >= coalesce(start, 0))"
    question = (
        "SELECT kafka_partition, "
        "count(*) FILTER (kafka_offset < coalesce(start, 0)), "
        f"count(*) {beyond}, count(DISTINCT kafka_offset) {beyond}, max(kafka_offset) {beyond} + 1 "
        f"FROM lake.{quote(name)} LEFT JOIN ("
        "  SELECT unnest($partitions) AS kafka_partition, unnest($starts) AS start"
        ") USING (kafka_partition) GROUP BY ALL"
    )
    starts = {
        "partitions": list(position.next_offsets.keys()),
        "starts": list(position.next_offsets.values()),
    }
    with open_lake(settings, as_of=as_of) as lake:
        rows = lake.connection.execute(question, starts).fetchall()
    return {partition: _Rows(*counts) for partition, *counts in rows}
