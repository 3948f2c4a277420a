"""Many small files of a closed partition into a few large ones, in the table's sort order.

The rows are read bit by bit, sorted by DuckDB, which puts on disk what memory does not hold, and
written to files of the wanted size. Then one snapshot takes the old files away and adds the new
ones. It lands only if every old file is still there, so a second compaction, or a row that another
engine deleted meanwhile, makes it step back; rows that the sink appends meanwhile do not. It
carries no position of the sink and never copies one: a copy would hide a newer one.
"""

from __future__ import annotations

import tempfile
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa
from pyiceberg.exceptions import ValidationException
from pyiceberg.manifest import ManifestContent
from pyiceberg.transforms import DayTransform, HourTransform, IdentityTransform

from pipelines.errors import SinkError, TransientError
from sinks.lakehouse.iceberg import REFUSED, UNSURE, PreparedSnapshot
from sinks.lakehouse.query.plan import literal, quote
from sinks.lakehouse.query.remote_files import without_traceback
from sinks.lakehouse.tables import row_group_rows
from sinks.lakehouse.upkeep.data_files import DataFileWriter, read_batches

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pyiceberg.manifest import DataFile
    from pyiceberg.partitioning import PartitionSpec
    from pyiceberg.table import FileScanTask, Table
    from pyiceberg.typedef import Record

MEMORY_LIMIT = "512MB"
WHOLE = "all rows"
"""The name of the one part of a table that is not split."""
SMALL = 0.75
"""A file below this share of the target is small."""
ATTEMPTS = 20
PAUSE_SECONDS = 0.1
SUMMARY_KEY = "fraudlake.upkeep"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """Files of one partition that will become fewer, or sorted."""

    partition: Record
    name: str
    """Such as ``event_time_day=2026-03-01``, or ``WHOLE``."""
    tasks: tuple[FileScanTask, ...]

    @property
    def rows(self) -> int:
        """In all of its files."""
        return sum(task.file.record_count for task in self.tasks)

    @property
    def bytes(self) -> int:
        """Of all of its files."""
        return sum(task.file.file_size_in_bytes for task in self.tasks)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """What became of a rewrite."""

    rewrite: Rewrite
    files: int
    bytes: int
    seconds: float
    is_refused: bool
    """True: its files were changed meanwhile, so all is as before."""


def plan_compaction(
    table: Table, *, target_bytes: int, closed_before: datetime
) -> tuple[Rewrite, ...]:
    """What is worth rewriting in the partitions that ended before ``closed_before``, oldest first.

    SinkError if rows were deleted by delete files, which only the engine that wrote them can merge.
    """
    _refuse_delete_files(table)
    spec = table.spec()
    sort_order = table.metadata.default_sort_order_id
    by_partition: dict[Record, list[FileScanTask]] = defaultdict(list)
    for task in table.scan().plan_files():
        # Files of another partition spec stay: they cannot be written in theirs.
        if task.file.spec_id == spec.spec_id:
            by_partition[task.file.partition].append(task)
    rewrites = []
    for partition in sorted(by_partition, key=_values):
        if not _is_closed(spec, partition, closed_before):
            continue
        tasks = choose_files(by_partition[partition], target_bytes, sort_order=sort_order)
        if tasks:
            name = spec.partition_to_path(partition, table.schema())
            rewrites.append(Rewrite(partition=partition, name=name or WHOLE, tasks=tuple(tasks)))
    return tuple(rewrites)


def choose_files(
    tasks: Sequence[FileScanTask], target_bytes: int, *, sort_order: int
) -> list[FileScanTask]:
    """The files of one partition to rewrite: those out of order, and small ones to join.

    A single small file that is in order stays, or it would be written anew for ever.
    """
    unsorted, small = [], []
    for task in tasks:
        if sort_order and task.file.sort_order_id != sort_order:
            unsorted.append(task)
        elif task.file.file_size_in_bytes < SMALL * target_bytes:
            small.append(task)
    return unsorted + small if unsorted or len(small) > 1 else []


def rewrite_files(table: Table, rewrite: Rewrite, *, target_bytes: int) -> Rewritten:
    """Do it, or raise with all as before.

    TransientError if catalog or warehouse cannot be used, or if there is no room to sort in;
    SinkError if the table can no longer be compacted here. Only a commit that may still land, and a
    crash, leave files: the sweep takes those that nobody came to refer to.
    """
    began = time.monotonic()
    old = [task.file for task in rewrite.tasks]
    spec_id = table.metadata.default_spec_id
    writer = DataFileWriter(
        table,
        partition=rewrite.partition,
        folder=old[0].file_path.rpartition("/")[0],
        target_bytes=target_bytes,
        sort_order_id=table.metadata.default_sort_order_id or None,
    )
    try:
        _write_in_order(table, rewrite.tasks, writer)
        new = writer.finish()
        is_done = table.refresh().metadata.default_spec_id == spec_id and _replace(table, old, new)
    except SinkError:
        writer.discard()
        raise
    except (*UNSURE, duckdb.Error) as error:
        writer.discard()
        raise _explain(table, error) from error
    if not is_done:
        writer.discard()
    return Rewritten(
        rewrite=rewrite,
        files=len(new) if is_done else len(old),
        bytes=sum(file.file_size_in_bytes for file in (new if is_done else old)),
        seconds=time.monotonic() - began,
        is_refused=not is_done,
    )


def _write_in_order(table: Table, tasks: Sequence[FileScanTask], writer: DataFileWriter) -> None:
    rows = row_group_rows(table)
    with (
        tempfile.TemporaryDirectory(prefix="fraudlake-compaction-") as folder,
        duckdb.connect() as connection,
    ):
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'; SET TimeZone = 'UTC'")
        connection.execute(f"SET temp_directory = {literal(folder)}")
        connection.register("stored", read_batches(table, tasks))
        ordered = connection.sql(f"SELECT * FROM stored {_order_by(table)}")
        for batch in ordered.to_arrow_reader(rows):
            writer.write(pa.Table.from_batches([batch]))


def _order_by(table: Table) -> str:
    """The table's own sort order as SQL; nothing where it has none."""
    keys = []
    for field in table.sort_order().fields:
        name = table.schema().find_column_name(field.source_id)
        if name is None or not isinstance(field.transform, IdentityTransform):
            msg = (
                f"table {'.'.join(table.name())} is sorted by {field}, which is not done here: "
                "sort it by columns as they are, or compact with the engine that set this order"
            )
            raise SinkError(msg)
        nulls = field.null_order.value.replace("-", " ")
        keys.append(f"{quote(name)} {field.direction.value} {nulls}")
    return f"ORDER BY {', '.join(keys)}" if keys else ""


def _replace(table: Table, old: Iterable[DataFile], new: Sequence[DataFile]) -> bool:
    """Commit on the newest state of the table; False if one of the old files is gone from it."""
    for attempt in range(ATTEMPTS):
        _refuse_delete_files(table)
        try:
            snapshot = PreparedSnapshot(
                table, add=new, remove=old, summary={SUMMARY_KEY: "compaction"}
            )
        except ValidationException:
            return False
        try:
            snapshot.commit()
        except UNSURE as error:
            time.sleep(PAUSE_SECONDS * min(attempt, 5))
            has_landed = _has_landed(table, snapshot)
            if has_landed:
                return True
            if has_landed is None or not isinstance(error, REFUSED):
                # It may still land, so its files stay; if it never does, the sweep takes them.
                msg = f"the catalog did not say whether a compaction landed: {error}"
                raise TransientError(msg) from error
            snapshot.discard()
        else:
            return True
    return False


def _has_landed(table: Table, snapshot: PreparedSnapshot) -> bool | None:
    """None: the catalog cannot be asked."""
    try:
        return table.refresh().snapshot_by_id(snapshot.snapshot_id) is not None
    except UNSURE:
        return None


def _explain(table: Table, error: Exception) -> TransientError:
    """DuckDB passes on what the warehouse says, and may have no room of its own."""
    text = str(error)
    if isinstance(error, duckdb.Error):
        text = " ".join(without_traceback(error).split())
    if isinstance(error, duckdb.OutOfMemoryException):
        msg = f"there is too little memory and disk to sort {'.'.join(table.name())} in: {text}"
    elif isinstance(error, OSError | duckdb.Error):
        msg = f"the warehouse at {table.location()} cannot be used: {text}"
    else:
        msg = f"the catalog of {'.'.join(table.name())} cannot be used: {text}"
    return TransientError(msg)


def _refuse_delete_files(table: Table) -> None:
    snapshot = table.current_snapshot()
    if snapshot is None:
        return
    manifests = snapshot.manifests(table.io)
    if any(manifest.content == ManifestContent.DELETES for manifest in manifests):
        msg = (
            f"another engine has deleted rows of {'.'.join(table.name())} by delete files. Compact "
            "it with that engine first (Spark: rewrite_data_files)"
        )
        raise SinkError(msg)


def _values(partition: Record) -> list[int]:
    return [partition[at] for at in range(len(partition))]


def _is_closed(spec: PartitionSpec, partition: Record, before: datetime) -> bool:
    """A table that is not split has few rows and few writers: its one part is never in the way."""
    return all(
        _end_of(field.transform, partition[at]) <= before for at, field in enumerate(spec.fields)
    )


def _end_of(transform: object, value: int) -> datetime:
    """When the partition of days or hours since 1970 ends."""
    if isinstance(transform, DayTransform):
        return _EPOCH + timedelta(days=value + 1)
    if isinstance(transform, HourTransform):
        return _EPOCH + timedelta(hours=value + 1)
    msg = f"a table partitioned by {transform} cannot be compacted here: only by day or hour"
    raise SinkError(msg)
