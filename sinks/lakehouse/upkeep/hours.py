"""Tags on what a table showed at each full hour, so that expiry can let go what was between them.

The tags are of Iceberg's own kind: other engines can be asked by them, and their expiry leaves them
alone as long as ours does.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipelines.errors import SinkError
from sinks.lakehouse.history import find_state, tag_of, tagged_hours

if TYPE_CHECKING:
    from pyiceberg.table import Table

_HOUR = timedelta(hours=1)


def choose_hours(table: Table, *, hours: int, now: datetime) -> dict[datetime, int]:
    """The last ``hours`` full hours of which the state is known, with the ids of the snapshots."""
    latest = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    known = tagged_hours(table)
    chosen: dict[datetime, int] = {}
    for hour in (latest - at * _HOUR for at in range(hours)):
        if hour in known:
            chosen[hour] = known[hour]
            continue
        try:
            state = find_state(table, hour)
        except SinkError:  # an earlier expiry has not kept it
            continue
        if state is not None:
            chosen[hour] = state.snapshot_id
    return chosen


def tag_hours(table: Table, chosen: dict[datetime, int], *, hours: int) -> None:
    """Tag the chosen hours and no others; nothing is committed where that is so already.

    Raises what a catalog raises, and ValueError if a snapshot is gone meanwhile.
    """
    known = tagged_hours(table)
    if known == chosen:
        return
    # Other engines count it from the snapshot's own time.
    age_ms = (hours + 1) * _HOUR // timedelta(milliseconds=1)
    with table.manage_snapshots() as snapshots:
        for hour in known.keys() - chosen.keys():
            snapshots.remove_tag(tag_of(hour))
        for hour in sorted(chosen.keys() - known.keys()):
            snapshots.create_tag(chosen[hour], tag_of(hour), max_ref_age_ms=age_ms)
