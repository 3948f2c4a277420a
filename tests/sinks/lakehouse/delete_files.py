"""Rows deleted by a delete file, as Spark and Flink do it; pyiceberg reads such files only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from pyiceberg.manifest import (
    DataFile,
    DataFileContent,
    FileFormat,
    ManifestContent,
    ManifestEntry,
    ManifestEntryStatus,
    ManifestFile,
    ManifestWriterV2,
    write_manifest_list,
)
from pyiceberg.table.snapshots import Operation, Snapshot, Summary
from pyiceberg.table.update import AddSnapshotUpdate, AssertTableUUID, SetSnapshotRefUpdate

if TYPE_CHECKING:
    from pyiceberg.table import Table

# The ids that the format reserves for the columns of a positional delete file.
_SCHEMA = pa.schema(
    [
        pa.field("file_path", pa.string(), False, {"PARQUET:field_id": "2147483546"}),
        pa.field("pos", pa.int64(), False, {"PARQUET:field_id": "2147483545"}),
    ]
)


class _DeleteManifestWriter(ManifestWriterV2):
    def content(self) -> ManifestContent:
        return ManifestContent.DELETES

    @property
    def _meta(self) -> dict[str, str]:
        return {**super()._meta, "content": "deletes"}


def delete_row(table: Table, path: str, position: int, *, by_value: bool = False) -> None:
    """One more snapshot of main, in which the row at ``position`` of a data file is gone.

    ``by_value``: the file says that it names rows by their values (what it holds is not looked at).
    """
    head = table.current_snapshot()
    assert head is not None
    assert head.sequence_number is not None
    number = head.sequence_number + 1
    snapshot_id = table.metadata.new_snapshot_id()
    manifests = [
        *head.manifests(table.io),
        _write_deletes(table, snapshot_id, path, position, by_value),
    ]
    output = table.io.new_output(f"{table.location()}/metadata/snap-{snapshot_id}.avro")
    with write_manifest_list(
        2, output, snapshot_id, head.snapshot_id, number, "deflate"
    ) as manifest_list:
        manifest_list.add_manifests(manifests)
    snapshot = Snapshot.model_validate(
        {
            "snapshot-id": snapshot_id,
            "parent-snapshot-id": head.snapshot_id,
            "sequence-number": number,
            "timestamp-ms": head.timestamp_ms + 1,
            "manifest-list": output.location,
            "summary": Summary(Operation.DELETE),
            "schema-id": table.metadata.current_schema_id,
        }
    )
    on_main = {"ref-name": "main", "type": "branch", "snapshot-id": snapshot_id}
    table.catalog.commit_table(
        table,
        (AssertTableUUID(uuid=table.metadata.table_uuid),),
        (AddSnapshotUpdate(snapshot=snapshot), SetSnapshotRefUpdate.model_validate(on_main)),
    )
    table.refresh()


def _write_deletes(
    table: Table, snapshot_id: int, path: str, position: int, by_value: bool
) -> ManifestFile:
    (data,) = (task.file for task in table.scan().plan_files() if task.file.file_path == path)
    deletes = f"{path.removesuffix('.parquet')}-deletes.parquet"
    output = table.io.new_output(deletes)
    with output.create() as stream:
        pq.write_table(pa.table({"file_path": [path], "pos": [position]}, schema=_SCHEMA), stream)
    file = DataFile.from_args(
        content=DataFileContent.EQUALITY_DELETES if by_value else DataFileContent.POSITION_DELETES,
        file_path=deletes,
        file_format=FileFormat.PARQUET,
        partition=data.partition,
        record_count=1,
        file_size_in_bytes=len(output),
        spec_id=data.spec_id,
        equality_ids=[1] if by_value else None,
        key_metadata=None,
        sort_order_id=None,
    )
    entry = ManifestEntry.from_args(
        status=ManifestEntryStatus.ADDED, snapshot_id=snapshot_id, data_file=file
    )
    manifest = table.io.new_output(f"{table.location()}/metadata/{snapshot_id}-deletes.avro")
    writer = _DeleteManifestWriter(table.spec(), table.schema(), manifest, snapshot_id, "deflate")
    with writer:
        writer.add_entry(entry)
    return writer.to_manifest_file()
