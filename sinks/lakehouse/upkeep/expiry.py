"""Old snapshots out of a table's metadata, and the files that only they needed off the disk.

Of main's history the newest snapshots stay, and as many more as it takes to end on one that carries
the sink's position: so the position of every snapshot that stays can be found by walking back, also
after a rollback to it. What branches and tags of others point to stays with its ancestors.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyiceberg.table.snapshots import ancestors_of

from pipelines.errors import TransientError
from sinks.lakehouse.iceberg import UNSURE, walk_back
from sinks.lakehouse.position import read_position
from sinks.lakehouse.upkeep.reachable import Reachable, find_reachable
from sinks.lakehouse.upkeep.removal import remove_files

if TYPE_CHECKING:
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

ATTEMPTS = 20
PAUSE_SECONDS = 0.1
_MAIN = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expired:
    """Snapshots that are, or would be, gone, and the files with them."""

    snapshots: int
    data_files: int
    metadata_files: int


def plan_expiry(table: Table, *, keep: int) -> Expired:
    """What ``expire_snapshots`` would do."""
    expired = choose_snapshots(table, keep=keep)
    kept = [one for one in table.snapshots() if one not in expired]
    return _count(expired, _only_of(table, expired, kept))


def expire_snapshots(table: Table, *, keep: int) -> Expired:
    """Keep ``keep`` snapshots; TransientError if the catalog or the warehouse cannot be used.

    1. what the old snapshots are made of is read while they can still be found;
    2. they leave the metadata: from here on nobody can reach what only they needed;
    3. that is deleted, seen from the metadata as it is now. A crash before leaves files for the
       sweep.
    """
    for attempt in range(ATTEMPTS):
        table.refresh()
        expired = choose_snapshots(table, keep=keep)
        if not expired:
            return Expired(snapshots=0, data_files=0, metadata_files=0)
        # 1.
        before = find_reachable(table, expired)
        # 2.
        try:
            ids = [one.snapshot_id for one in expired]
            table.maintenance.expire_snapshots().by_ids(ids).commit()
        except (*UNSURE, ValueError):  # ValueError: one is gone, or has got a tag, meanwhile
            time.sleep(PAUSE_SECONDS * min(attempt, 5))
            continue
        # 3.
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


def choose_snapshots(table: Table, *, keep: int) -> list[Snapshot]:
    """The snapshots to let go, oldest first."""
    chain = list(walk_back(table))
    ends = [
        at for at, one in enumerate(chain, start=1) if at >= keep and read_position(one) is not None
    ]
    kept = {one.snapshot_id for one in chain[: min(ends, default=keep)]}
    for name, ref in table.metadata.refs.items():
        if name == _MAIN:
            continue
        head = table.snapshot_by_id(ref.snapshot_id)
        if ref.snapshot_ref_type == "branch":
            kept.update(one.snapshot_id for one in ancestors_of(head, table.metadata))
        else:
            kept.add(ref.snapshot_id)
    gone = [one for one in table.snapshots() if one.snapshot_id not in kept]
    return sorted(gone, key=lambda one: one.timestamp_ms)


def _only_of(table: Table, expired: list[Snapshot], kept: list[Snapshot]) -> Reachable:
    return find_reachable(table, expired, but_not=find_reachable(table, kept))


def _count(expired: list[Snapshot], gone: Reachable) -> Expired:
    return Expired(
        snapshots=len(expired),
        data_files=len(gone.data_files),
        metadata_files=len(gone.manifest_lists) + len(gone.manifests),
    )
