"""What Iceberg knows of the tables, for SQL: the schema ``meta``.

Read when a question first needs it, because it takes reading every manifest.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sinks.lakehouse.position import read_position
from sinks.lakehouse.query.late_rows import LateRows
from sinks.lakehouse.rulesets import SUMMARY_KEY as RULES_KEY
from sinks.lakehouse.upkeep.compaction import SUMMARY_KEY as UPKEEP_KEY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import duckdb
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot

SCHEMA = "meta"
_LONG, _INT, _TEXT = pa.int64(), pa.int32(), pa.string()
_MOMENT = pa.timestamp("ms", "UTC")
_ABOUT = b"about"


def _schema(*columns: tuple[str, pa.DataType, str]) -> pa.Schema:
    named = [("table_name", _TEXT, "The table that it is about."), *columns]
    return pa.schema([pa.field(n, type_, metadata={_ABOUT: about}) for n, type_, about in named])


VIEWS: dict[str, pa.Schema] = {
    "snapshots": _schema(
        ("snapshot_id", _LONG, "What --as-of takes, too."),
        ("parent_id", _LONG, "The snapshot it was made from; NULL: not kept, or the first."),
        ("committed_at", _MOMENT, "From when on the table was so."),
        ("operation", _TEXT, "append, overwrite, replace or delete."),
        ("made_by", _TEXT, "sink, compaction, rules or another tool."),
        ("added_rows", _LONG, "In the files that it added."),
        ("added_files", _LONG, "Data files that it added."),
        ("deleted_files", _LONG, "Data files that it took away."),
        ("total_rows", _LONG, "Rows of the table then."),
        ("total_files", _LONG, "Data files of the table then."),
    ),
    "positions": _schema(
        ("snapshot_id", _LONG, "The commit of the sink."),
        ("committed_at", _MOMENT, "When it was."),
        ("topic", _TEXT, "The topic that the rows come from."),
        ("kafka_partition", _INT, "A partition of it."),
        ("next_offset", _LONG, "Everything before it is stored."),
        ("dead_letters", _LONG, "Records set aside since the first row of the table."),
    ),
    "files": _schema(
        ("partition", _TEXT, "The day or hour that it holds."),
        ("path", _TEXT, "Where it lies."),
        ("rows", _LONG, "How many it has."),
        ("bytes", _LONG, "Its size."),
        ("sort_order_id", _INT, "In which of the table's orders it is; NULL or 0: in none."),
    ),
    "manifests": _schema(
        ("path", _TEXT, "Where it lies."),
        ("bytes", _LONG, "Its size."),
        ("added_snapshot_id", _LONG, "The snapshot that wrote it."),
        ("added_files", _LONG, "Data files that came with that snapshot."),
        ("existing_files", _LONG, "Data files that were there before."),
    ),
}


def meaning_of(view: str, column: str) -> str:
    """What a column of a view of the schema ``meta`` means."""
    about: bytes = VIEWS[view].field(column).metadata[_ABOUT]
    return about.decode()


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataSource:
    """A table at the snapshot that questions see."""

    name: str
    table: Table
    snapshot_id: int | None
    """None: its newest."""
    is_shown: bool
    """False: questions see no rows of it, so it has no files for them either."""


def create_metadata_views(
    connection: duckdb.DuckDBPyConnection, sources: Sequence[MetadataSource]
) -> dict[str, LateRows]:
    """Make the views of the schema ``meta``; by name, the rows that they are made of."""
    connection.execute(f"CREATE SCHEMA {SCHEMA}")
    made: dict[str, LateRows] = {}
    for name, schema in VIEWS.items():
        view = f"{SCHEMA}.{name}"
        made[view] = LateRows(schema, functools.partial(_read, name, tuple(sources)))
        connection.register(f"{SCHEMA}_{name}", made[view])
        connection.execute(f"CREATE VIEW {view} AS FROM {SCHEMA}_{name}")
    return made


def _read(name: str, sources: Sequence[MetadataSource]) -> pa.RecordBatchReader:
    rows = [row for source in sources for row in _READERS[name](source)]
    return pa.Table.from_pylist(rows, schema=VIEWS[name]).to_reader()


def _snapshots(source: MetadataSource) -> Iterator[dict[str, Any]]:
    for one in source.table.snapshots():
        summary = {} if one.summary is None else one.summary.additional_properties
        yield {
            "table_name": source.name,
            "snapshot_id": one.snapshot_id,
            "parent_id": one.parent_snapshot_id,
            "committed_at": _time(one.timestamp_ms),
            "operation": None if one.summary is None else one.summary.operation.value,
            "made_by": _maker(one, summary),
            "added_rows": int(summary.get("added-records", 0)),
            "added_files": int(summary.get("added-data-files", 0)),
            "deleted_files": int(summary.get("deleted-data-files", 0)),
            "total_rows": int(summary.get("total-records", 0)),
            "total_files": int(summary.get("total-data-files", 0)),
        }


def _maker(snapshot: Snapshot, summary: Mapping[str, str]) -> str:
    if read_position(snapshot) is not None:
        return "sink"
    if RULES_KEY in summary:
        return "rules"
    return summary.get(UPKEEP_KEY, "another tool")


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
    if not source.is_shown:
        return
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
    if not source.is_shown:
        return
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
