"""What Iceberg knows of the tables, for SQL: the schema ``meta``.

Made when a question first names it, because it takes reading every manifest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sinks.lakehouse.position import read_position

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import duckdb
    from pyiceberg.table import Table

SCHEMA = "meta"
_LONG, _TEXT = pa.int64(), pa.string()
_MOMENT = pa.timestamp("ms", "UTC")
_NAME = ("table_name", _TEXT)
VIEWS: dict[str, pa.Schema] = {
    "snapshots": pa.schema(
        [
            _NAME,
            ("snapshot_id", _LONG),
            ("parent_id", _LONG),
            ("committed_at", _MOMENT),
            ("operation", _TEXT),
            ("made_by", _TEXT),
            ("added_rows", _LONG),
            ("added_files", _LONG),
            ("deleted_files", _LONG),
            ("total_rows", _LONG),
            ("total_files", _LONG),
        ]
    ),
    "positions": pa.schema(
        [
            _NAME,
            ("snapshot_id", _LONG),
            ("committed_at", _MOMENT),
            ("topic", _TEXT),
            ("kafka_partition", pa.int32()),
            ("next_offset", _LONG),
            ("dead_letters", _LONG),
        ]
    ),
    "files": pa.schema(
        [
            _NAME,
            ("partition", _TEXT),
            ("path", _TEXT),
            ("rows", _LONG),
            ("bytes", _LONG),
            ("sort_order_id", pa.int32()),
        ]
    ),
    "manifests": pa.schema(
        [
            _NAME,
            ("path", _TEXT),
            ("bytes", _LONG),
            ("added_snapshot_id", _LONG),
            ("added_files", _LONG),
            ("existing_files", _LONG),
        ]
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataSource:
    """A table at the snapshot that questions see; None: its newest."""

    name: str
    table: Table
    snapshot_id: int | None


def create_metadata_views(
    connection: duckdb.DuckDBPyConnection, sources: Sequence[MetadataSource]
) -> None:
    """Make the views of the schema ``meta`` if they are not there yet."""
    known = connection.execute(
        "SELECT 1 FROM duckdb_schemas() WHERE schema_name = ?", [SCHEMA]
    ).fetchall()
    if known:
        return
    connection.execute(f"CREATE SCHEMA {SCHEMA}")
    for name, schema in VIEWS.items():
        rows = [row for source in sources for row in _READERS[name](source)]
        connection.register(f"meta_{name}", pa.Table.from_pylist(rows, schema=schema))
        connection.execute(f"CREATE VIEW {SCHEMA}.{name} AS FROM meta_{name}")


def _snapshots(source: MetadataSource) -> Iterator[dict[str, Any]]:
    for one in source.table.snapshots():
        summary = {} if one.summary is None else one.summary.additional_properties
        is_ours = read_position(one) is not None
        yield {
            "table_name": source.name,
            "snapshot_id": one.snapshot_id,
            "parent_id": one.parent_snapshot_id,
            "committed_at": _time(one.timestamp_ms),
            "operation": None if one.summary is None else one.summary.operation.value,
            "made_by": "sink" if is_ours else summary.get("fraudlake.upkeep", "another tool"),
            "added_rows": int(summary.get("added-records", 0)),
            "added_files": int(summary.get("added-data-files", 0)),
            "deleted_files": int(summary.get("deleted-data-files", 0)),
            "total_rows": int(summary.get("total-records", 0)),
            "total_files": int(summary.get("total-data-files", 0)),
        }


def _positions(source: MetadataSource) -> Iterator[dict[str, Any]]:
    for one in source.table.snapshots():
        position = read_position(one)
        if position is not None:
            for partition, offset in sorted(position.next_offsets.items()):
                yield {
                    "table_name": source.name,
                    "snapshot_id": one.snapshot_id,
                    "committed_at": _time(one.timestamp_ms),
                    "topic": position.topic,
                    "kafka_partition": partition,
                    "next_offset": offset,
                    "dead_letters": position.dead_letters,
                }


def _files(source: MetadataSource) -> Iterator[dict[str, Any]]:
    specs, schema = source.table.specs(), source.table.schema()
    for task in source.table.scan(snapshot_id=source.snapshot_id).plan_files():
        yield {
            "table_name": source.name,
            "partition": specs[task.file.spec_id].partition_to_path(task.file.partition, schema),
            "path": task.file.file_path,
            "rows": task.file.record_count,
            "bytes": task.file.file_size_in_bytes,
            "sort_order_id": task.file.sort_order_id,
        }


def _manifests(source: MetadataSource) -> Iterator[dict[str, Any]]:
    table = source.table
    snapshot = (
        table.current_snapshot()
        if source.snapshot_id is None
        else table.snapshot_by_id(source.snapshot_id)
    )
    for one in [] if snapshot is None else snapshot.manifests(table.io):
        yield {
            "table_name": source.name,
            "path": one.manifest_path,
            "bytes": one.manifest_length,
            "added_snapshot_id": one.added_snapshot_id,
            "added_files": one.added_files_count,
            "existing_files": one.existing_files_count,
        }


_READERS = {
    "snapshots": _snapshots,
    "positions": _positions,
    "files": _files,
    "manifests": _manifests,
}


def _time(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
