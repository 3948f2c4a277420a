"""What Dagster was told last of each table, as its own event log has it.

The event log and not the cursor, because a daemon that dies between the events of a tick and its
cursor ticks again with the old one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestration.keys import table_key
from sinks.lakehouse.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import dagster as dg

    from sinks.lakehouse.heads import TableHead

ROWS, READ_UP_TO = "dagster/row_count", "read up to"
"""Under these names in a materialization."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """How full a table was. Upkeep makes snapshots, too, and changes neither."""

    rows: int
    read_up_to: str
    """Where the sink was in each partition of the topic, such as ``0:990 1:12``."""


def describe(head: TableHead) -> Told:
    """A table as it is now."""
    places = (f"{part}:{offset}" for part, offset in sorted(head.next_offsets.items()))
    return Told(rows=head.rows, read_up_to=" ".join(places))


def read_told(instance: dg.DagsterInstance) -> Mapping[str, Told]:
    """By table; those of which no look has told are absent."""
    found: dict[str, Told] = {}
    keys = {table_key(table.name): table.name for table in TABLES}
    for key, event in instance.get_latest_materialization_events(list(keys)).items():
        if event is None or event.asset_materialization is None:
            continue
        metadata = event.asset_materialization.metadata
        # The sink's asset tells of the rows alone.
        if ROWS in metadata and READ_UP_TO in metadata:
            found[keys[key]] = Told(
                rows=int(str(metadata[ROWS].value)), read_up_to=str(metadata[READ_UP_TO].value)
            )
    return found


def read_materialized(
    instance: dg.DagsterInstance, assets: Collection[dg.AssetKey]
) -> Mapping[dg.AssetKey, float]:
    """When each was materialized last, by whomever, in seconds since 1970."""
    found = instance.get_latest_materialization_events(list(assets))
    return {key: event.timestamp for key, event in found.items() if event is not None}
