"""Which files some snapshots of a table are made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachable:
    """Paths as the table has them."""

    manifest_lists: frozenset[str]
    manifests: frozenset[str]
    data_files: frozenset[str]
    """Files of rows and of deletes that are alive in at least one of the snapshots."""

    def all(self) -> frozenset[str]:
        """Every path."""
        return self.manifest_lists | self.manifests | self.data_files


def find_reachable(
    table: Table, snapshots: Iterable[Snapshot], *, but_not: Reachable | None = None
) -> Reachable:
    """What is read to answer a question about any of ``snapshots``.

    ``but_not`` leaves out what is known to be reachable otherwise, and spares reading it.
    """
    known = frozenset() if but_not is None else but_not.manifests
    lists: set[str] = set()
    manifests = {}
    for snapshot in snapshots:
        lists.add(snapshot.manifest_list)
        for manifest in snapshot.manifests(table.io):
            if manifest.manifest_path not in known:
                manifests[manifest.manifest_path] = manifest
    files = {
        entry.data_file.file_path
        for manifest in manifests.values()
        for entry in manifest.fetch_manifest_entry(table.io, discard_deleted=True)
    }
    if but_not is not None:
        lists -= but_not.manifest_lists
        files -= but_not.data_files
    return Reachable(
        manifest_lists=frozenset(lists),
        manifests=frozenset(manifests),
        data_files=frozenset(files),
    )
