"""Data files as compaction needs them: read bit by bit, written in order to a wanted size.

pyiceberg reads a file whole and cuts files by their size in memory. What is used here instead is
not public; the contract test of ``iceberg.py`` holds it down.
"""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import TYPE_CHECKING

import pyarrow as pa
from pyiceberg.expressions import AlwaysTrue
from pyiceberg.io.pyarrow import ArrowScan, ParquetFormatWriter, schema_to_pyarrow
from pyiceberg.manifest import DataFile, DataFileContent, FileFormat

from sinks.lakehouse.iceberg import delete_files

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pyiceberg.io import OutputFile
    from pyiceberg.table import FileScanTask, Table
    from pyiceberg.typedef import Record


def read_batches(table: Table, tasks: Iterable[FileScanTask]) -> pa.RecordBatchReader:
    """The rows of data files in the table's own schema, one bit after the other.

    Deleted rows are not left out: ask for files without delete files only.
    """
    scan = ArrowScan(table.metadata, table.io, table.schema(), AlwaysTrue())
    schema = schema_to_pyarrow(table.schema(), include_field_ids=False)

    def shaped() -> Iterator[pa.RecordBatch]:
        for batch in scan._record_batches_from_scan_tasks_and_deletes(tasks, {}):
            yield from pa.Table.from_batches([batch]).cast(schema).to_batches()

    return pa.RecordBatchReader.from_batches(schema, shaped())


class DataFileWriter:
    """Rows of one partition into files of about ``target_bytes`` each, in the order they come.

    The files lie in ``folder``. ``sort_order_id`` tells readers, and the next compaction, in which
    of the table's sort orders the rows are; None: in none.
    """

    def __init__(
        self,
        table: Table,
        *,
        partition: Record,
        folder: str,
        target_bytes: int,
        sort_order_id: int | None,
    ) -> None:
        self._table = table
        self._schema = schema_to_pyarrow(table.schema(), include_field_ids=True)
        self._partition = partition
        self._folder = folder
        self._target_bytes = target_bytes
        self._sort_order_id = sort_order_id
        self._name = uuid.uuid4()
        self._open: tuple[OutputFile, ParquetFormatWriter] | None = None
        self._done: list[DataFile] = []
        self._paths: list[str] = []

    def write(self, rows: pa.Table) -> None:
        """Add rows, as row groups of their own."""
        output, writer = self._open or self._begin()
        self._open = output, writer
        writer.write(rows.cast(self._schema))
        stream = writer._fos
        if stream is not None and stream.tell() >= self._target_bytes:
            self._end(output, writer)

    def finish(self) -> list[DataFile]:
        """The files, complete; nobody sees them yet."""
        if self._open is not None:
            self._end(*self._open)
        return self._done

    def discard(self) -> None:
        """Delete everything that was written, as far as that is possible."""
        with suppress(OSError, pa.ArrowException):  # a full disk does not take the end either
            self.finish()
        delete_files(self._table, self._paths)

    def _begin(self) -> tuple[OutputFile, ParquetFormatWriter]:
        path = f"{self._folder}/compacted-{self._name}-{len(self._paths):03d}.parquet"
        self._paths.append(path)
        output = self._table.io.new_output(path)
        writer = ParquetFormatWriter(output, self._table.schema(), self._table.properties)
        return output, writer

    def _end(self, output: OutputFile, writer: ParquetFormatWriter) -> None:
        self._open = None
        statistics = writer.close()
        self._done.append(
            DataFile.from_args(
                content=DataFileContent.DATA,
                file_path=output.location,
                file_format=FileFormat.PARQUET,
                partition=self._partition,
                file_size_in_bytes=len(output),
                sort_order_id=self._sort_order_id,
                spec_id=self._table.metadata.default_spec_id,
                equality_ids=None,
                key_metadata=None,
                **statistics.to_serialized_dict(),
            )
        )
