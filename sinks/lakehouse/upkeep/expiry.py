"""Old snapshots out of a table's metadata, and the files that only they needed off the disk.

Of main's history the newest snapshots stay, and before them the state at each full hour of the last
hours. Of both, and of what others have tagged, as many more stay as it takes to end on one that
carries the sink's position: so the position of every snapshot that stays can be found by walking
back, also after a rollback to it. What branches of others point to stays with its ancestors.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyiceberg.table.snapshots import ancestors_of

from pipelines.errors import TransientError
from sinks.lakehouse.history import TAG_PREFIX
from sinks.lakehouse.iceberg import UNSURE, forget_snapshots, walk_back
from sinks.lakehouse.position import read_position
from sinks.lakehouse.upkeep.hours import choose_hours, tag_hours
from sinks.lakehouse.upkeep.reachable import Reachable, find_reachable
from sinks.lakehouse.upkeep.removal import remove_files

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

ATTEMPTS = 20
PAUSE_SECONDS = 0.1
KEEP_HOURS = 24
_MAIN = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """Snapshots that are, or would be, gone, and the files with them."""

    snapshots: int
    data_files: int
    metadata_files: int


def plan_expiry(
    table: Table, *, keep: int, keep_hours: int = KEEP_HOURS, now: datetime | None = None
) -> Expired:
    """What ``expire_snapshots`` would do."""
    hours = choose_hours(table, hours=keep_hours, now=now or datetime.now(UTC))
    expired = choose_snapshots(table, keep=keep, at_hours=hours.values())
    kept = [one for one in table.snapshots() if one not in expired]
    return _count(expired, _only_of(table, expired, kept))


def expire_snapshots(
    table: Table, *, keep: int, keep_hours: int = KEEP_HOURS, now: datetime | None = None
) -> Expired:
    """Keep the newest ``keep`` snapshots, and the states at the last ``keep_hours`` full hours.

    1. the states at full hours are tagged: what was between them will not be there to tell;
    2. what the old snapshots are made of is read while they can still be found;
    3. they leave the metadata: from here on nobody can reach what only they needed;
    4. that is deleted, seen from the metadata as it is now. A crash before leaves files for the
       sweep.

    TransientError if the catalog or the warehouse cannot be used.
    """
    for attempt in range(ATTEMPTS):
        table.refresh()
        hours = choose_hours(table, hours=keep_hours, now=now or datetime.now(UTC))
        expired = choose_snapshots(table, keep=keep, at_hours=hours.values())
        try:
            # 1.
            tag_hours(table, hours, hours=keep_hours)
            if not expired:
                return Expired(snapshots=0, data_files=0, metadata_files=0)
            # 2.
            before = find_reachable(table, expired)
            # 3.
            forget_snapshots(table, [one.snapshot_id for one in expired])
        except (*UNSURE, ValueError):  # ValueError: one is gone, or has got a tag, meanwhile
            time.sleep(PAUSE_SECONDS * min(attempt, 5))
            continue
        # 4.
        table.refresh()
        after = find_reachable(table, table.snapshots())
        gone = Reachable(
            manifest_lists=before.manifest_lists - after.manifest_lists,
            manifests=before.manifests - after.manifests,
            data_files=before.data_files - after.data_files,
        )
        remove_files(table, gone.all())
        return _count(expired, gone)
    msg = f"table {'.'.join(table.name())} took no expiry in {ATTEMPTS} attempts"
    raise TransientError(msg)


def choose_snapshots(table: Table, *, keep: int, at_hours: Iterable[int]) -> list[Snapshot]:
    """The snapshots to let go, oldest first; ``at_hours`` are the ids of those that stay anyway."""
    chain = list(walk_back(table))
    kept = {one.snapshot_id for one in chain[:keep]}
    kept.update(one.snapshot_id for one in _until_position(chain[max(keep - 1, 0) :]))
    for snapshot_id in at_hours:
        kept.update(one.snapshot_id for one in _until_position(_chain_of(table, snapshot_id)))
    for name, ref in table.metadata.refs.items():
        if name == _MAIN or name.startswith(TAG_PREFIX):
            continue
        chain = _chain_of(table, ref.snapshot_id)
        is_branch = ref.snapshot_ref_type == "branch"
        kept.update(one.snapshot_id for one in (chain if is_branch else _until_position(chain)))
    gone = [one for one in table.snapshots() if one.snapshot_id not in kept]
    return sorted(gone, key=lambda one: one.timestamp_ms)


def _chain_of(table: Table, snapshot_id: int) -> list[Snapshot]:
    return list(ancestors_of(table.snapshot_by_id(snapshot_id), table.metadata))


def _until_position(chain: list[Snapshot]) -> list[Snapshot]:
    """The first, and those behind it up to one that says how far the sink had got, if any does."""
    ends = (at for at, one in enumerate(chain, start=1) if read_position(one) is not None)
    return chain[: next(ends, 1)]


def _only_of(table: Table, expired: list[Snapshot], kept: list[Snapshot]) -> Reachable:
    return find_reachable(table, expired, but_not=find_reachable(table, kept))


def _count(expired: list[Snapshot], gone: Reachable) -> Expired:
    return Expired(
        snapshots=len(expired),
        data_files=len(gone.data_files),
        metadata_files=len(gone.manifest_lists) + len(gone.manifests),
    )
