"""How far a table has got: the next offset of each partition, kept in the table's own snapshots.

The position is one JSON text in the summary of the snapshot that brought the rows, so both are
there or neither is. A snapshot of another writer (compaction, expiry, an engine) carries none and
never copies one; the newest one on the way back from main's head counts. A tag keeps the newest
snapshot of ours from being expired.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.errors import SinkError
from sinks.lakehouse.iceberg import walk_back

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

SUMMARY_KEY = "fraudlake.sink.position"
TAG = "fraudlake-sink"


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Everything of one topic that a table holds, and in which cluster that topic is."""

    cluster_id: str
    topic_id: str
    topic: str
    next_offsets: Mapping[int, int]
    dead_letters: int
    """Records set aside as dead letters so far, since the table's first row."""

    def to_json(self) -> str:
        """Compact, with partitions in order."""
        return json.dumps(
            {
                "cluster_id": self.cluster_id,
                "topic_id": self.topic_id,
                "topic": self.topic,
                "next_offsets": {str(p): self.next_offsets[p] for p in sorted(self.next_offsets)},
                "dead_letters": self.dead_letters,
            },
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str) -> Position:
        """The position that ``to_json`` wrote."""
        members = json.loads(text)
        return cls(
            cluster_id=members["cluster_id"],
            topic_id=members["topic_id"],
            topic=members["topic"],
            next_offsets={int(p): offset for p, offset in members["next_offsets"].items()},
            dead_letters=members["dead_letters"],
        )


def restore(table: Table) -> Position | None:
    """The position of the table as it is loaded; None for a table that was never written to.

    1. The newest position on the way back from main's head: after a rollback, that of the rows
       which are left.
    2. Else that of the tag, unless the head is older: then the table was rolled back to before it.
    3. Else, if there are rows, SinkError: where they end is unknown.
    """
    # 1.
    for snapshot in walk_back(table):
        position = read_position(snapshot)
        if position is not None:
            return position
    # 2.
    tagged, head = table.snapshot_by_name(TAG), table.current_snapshot()
    if tagged is not None and head is not None and _age(tagged) <= _age(head):
        position = read_position(tagged)
        if position is not None:
            return position
    # 3.
    if count_rows(table) != 0:
        name = ".".join(table.name())
        msg = (
            f"table {name} has rows, but no snapshot of it says up to which Kafka offset they go. "
            f"Going on would lose or repeat records. Roll it back to a snapshot that has "
            f"{SUMMARY_KEY} in its summary, or write to another FRAUDLAKE_LAKEHOUSE_NAMESPACE"
        )
        raise SinkError(msg)
    return None


def read_position(snapshot: Snapshot) -> Position | None:
    """The position that a snapshot of the sink carries; None for those of others."""
    if snapshot.summary is None:
        return None
    text = snapshot.summary.additional_properties.get(SUMMARY_KEY)
    return None if text is None else Position.from_json(text)


def count_rows(table: Table) -> int:
    """The number of rows, from metadata alone."""
    snapshot = table.current_snapshot()
    if snapshot is None or snapshot.summary is None:
        return 0
    return int(snapshot.summary.additional_properties.get("total-records", "0"))


def _age(snapshot: Snapshot) -> int:
    """Snapshots in the order in which they were made: their clocks may differ."""
    return snapshot.sequence_number or 0
