"""How large a table is, and how well it is kept: from its metadata alone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sinks.lakehouse.upkeep.compaction import SMALL

if TYPE_CHECKING:
    from pyiceberg.table import Table


@dataclass(frozen=True, slots=True, kw_only=True)
class TableFigures:
    """One table at one moment."""

    table: str
    rows: int
    partitions: int
    files: int
    small_files: int
    """Below three quarters of the target."""
    unsorted_files: int
    """Not in the table's sort order; 0 where it has none."""
    delete_files: int
    bytes: int
    snapshots: int
    manifests: int
    metadata_bytes: int
    """Of the newest metadata file and of the manifests of the newest snapshot."""
    committed_at: datetime | None


def read_figures(table: Table, *, target_bytes: int) -> TableFigures:
    """The figures of ``table`` as it is loaded."""
    tasks = list(table.scan().plan_files())
    files = [task.file for task in tasks]
    snapshot = table.current_snapshot()
    manifests = [] if snapshot is None else snapshot.manifests(table.io)
    sort_order = table.metadata.default_sort_order_id
    metadata = len(table.io.new_input(table.metadata_location))
    return TableFigures(
        table=table.name()[-1],
        rows=sum(file.record_count for file in files),
        partitions=len({(file.spec_id, file.partition) for file in files}),
        files=len(files),
        small_files=sum(file.file_size_in_bytes < SMALL * target_bytes for file in files),
        unsorted_files=sum(bool(sort_order) and file.sort_order_id != sort_order for file in files),
        delete_files=len({file.file_path for task in tasks for file in task.delete_files}),
        bytes=sum(file.file_size_in_bytes for file in files),
        snapshots=len(table.snapshots()),
        manifests=len(manifests),
        metadata_bytes=metadata + sum(manifest.manifest_length for manifest in manifests),
        committed_at=None
        if snapshot is None
        else datetime.fromtimestamp(snapshot.timestamp_ms / 1000, UTC),
    )
