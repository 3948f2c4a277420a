"""Whose turn it is to write a table: our sink's, or that of a Flink job it was handed to.

A property of the table says so, because who writes does not change when snapshots are rolled back
or expire. It is set and taken away in one commit with a snapshot: a sink that is running commits
only on the state of the table that it has seen, so it cannot miss that the turn has passed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import SinkError
from sinks.lakehouse.iceberg import REFUSED, PreparedSnapshot, walk_back
from sinks.lakehouse.position import SUMMARY_KEY, TAG, read_position

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from sinks.lakehouse.position import Position

HANDED_OVER = "fraudlake.sink.handed-over"
_FLINK_KEY = "flink.max-committed-checkpoint-id"
"""Iceberg's Flink sink writes it into the summary of each of its commits."""


def is_handed_over(table: Table) -> bool:
    """True from the hand-over until the table is taken back, and where Flink has written anyway."""
    return HANDED_OVER in table.properties or has_rows_of_flink(table)


def has_rows_of_flink(table: Table) -> bool:
    """True if a Flink job has written to the table since our newest position."""
    for snapshot in walk_back(table):
        if read_position(snapshot) is not None:
            return False
        if snapshot.summary is not None and _FLINK_KEY in snapshot.summary.additional_properties:
            return True
    return False


def refuse(table: Table) -> SinkError:
    """What to say to a sink whose turn it is not."""
    return SinkError(
        f"table {'.'.join(table.name())} is written by a Flink job, or waits for one. Stop that "
        "job, then run `fraudlake sink take-back` to go on from where it ended"
    )


def pass_to_flink(table: Table, position: Position) -> None:
    """The table ends at ``position`` and is a Flink job's; SinkError if it has moved meanwhile."""
    _pass(table, position, {HANDED_OVER: "to a Flink job"}, to_stop="lakehouse sink")


def pass_to_sink(table: Table, position: Position) -> None:
    """The table ends at ``position`` and is the sink's; SinkError if it has moved meanwhile."""
    _pass(table, position, {HANDED_OVER: None}, to_stop="Flink job")


def _pass(
    table: Table, position: Position, properties: dict[str, str | None], *, to_stop: str
) -> None:
    summary = {SUMMARY_KEY: position.to_json()}
    snapshot = PreparedSnapshot(table, add=(), summary=summary, tag=TAG, properties=properties)
    try:
        snapshot.commit()
    except REFUSED as error:
        table.refresh()
        if any(one.snapshot_id == snapshot.snapshot_id for one in walk_back(table)):
            return  # it had landed, and the answer was lost
        snapshot.discard()
        name = ".".join(table.name())
        msg = f"table {name} was written to just now. Stop the {to_stop}, then try again"
        raise SinkError(msg) from error
