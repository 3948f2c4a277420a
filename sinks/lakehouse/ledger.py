"""The one place that commits: rows and position together, and never on top of a second writer.

For each commit, in this order:

1. the table learns the features it does not know yet;
2. the rows become data files, once;
3. the table as we know it is still at the position we started from; if not, somebody else has moved
   it, our files are deleted and SinkError ends this writer. Then one commit of files, position and
   tag, which lands only on this very state of the table: never with automatic retries;
4. where it fails or its answer is lost, the table is read again: one of our snapshots is there, or
   3 is repeated with the same files. A commit whose answer was lost may land at any later moment,
   so nothing it refers to is ever deleted.

The check in 3 stands before every attempt because each look at the table, also the one that comes
with a change of its schema, may bring in the commit of another writer.

A crash between 2 and 3 leaves files that nobody refers to; maintenance sweeps them.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
from pyiceberg.exceptions import (
    CommitFailedException,
    CommitStateUnknownException,
    RESTError,
    ValidationException,
)
from pyiceberg.io.pyarrow import schema_to_pyarrow
from sqlalchemy.exc import SQLAlchemyError

from pipelines.errors import SinkError, TransientError
from sinks.lakehouse.iceberg import Append, delete_files, walk_back, write_files
from sinks.lakehouse.position import SUMMARY_KEY, TAG, Position, is_handed_over, restore
from sinks.lakehouse.refusals import first_line
from sinks.lakehouse.tables import FEATURES, feature_names, grow_features

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

_LOG = logging.getLogger(__name__)
ATTEMPTS = 10
PAUSE_SECONDS = 0.2
_REFUSED = (CommitFailedException, ValidationException)
# Every way in which a catalog, or the way to it, says no or does not say anything.
_UNSURE = (*_REFUSED, CommitStateUnknownException, RESTError, SQLAlchemyError, OSError)


class Ledger:
    """A table and the position that it is known to have."""

    def __init__(self, table: Table) -> None:
        """SinkError if a Flink job has taken the table over: its position is no longer its end."""
        self.table = table
        self.position = restore(table)
        if is_handed_over(table):
            msg = (
                f"table {self._name} is written by a Flink job. Stop that job, then run "
                "`fraudlake sink take-back` to go on from where it ended"
            )
            raise SinkError(msg)

    def commit(self, blocks: Sequence[pa.Table], position: Position) -> None:
        """Append the rows of ``blocks`` and move to ``position``, both or neither.

        SinkError if another writer moved the table meanwhile; TransientError if the catalog or the
        warehouse cannot be used, after which a new ledger finds out what is stored.
        """
        # 1.
        self._learn(blocks)
        # 2.
        files = self._write(blocks)
        tried: set[int] = set()
        is_open = False
        for attempt in range(ATTEMPTS):
            # 3.
            self._check_fence(() if is_open else files)
            append = self._prepare(files, position)
            tried.add(append.snapshot_id)
            try:
                append.commit()
            except _UNSURE as error:
                _LOG.warning("event=commit_open table=%s reason=%r", self._name, str(error))
                is_refused = isinstance(error, _REFUSED)
            else:
                self.position = position
                return
            # 4.
            time.sleep(PAUSE_SECONDS * min(attempt, 5))
            self._refresh()
            if any(one.snapshot_id in tried for one in walk_back(self.table)):
                self.position = position
                return
            if is_refused:
                append.discard()
            else:
                is_open = True
        msg = f"table {self._name} took no commit in {ATTEMPTS} attempts"
        raise TransientError(msg)

    @property
    def _name(self) -> str:
        return ".".join(self.table.name())

    def _learn(self, blocks: Sequence[pa.Table]) -> None:
        names = dict.fromkeys(name for block in blocks for name in _features_of(block))
        for _ in range(ATTEMPTS):
            try:
                if grow_features(self.table, names):
                    _LOG.info("event=features_added table=%s", self._name)
            except _UNSURE as error:
                _LOG.warning("event=schema_open table=%s reason=%r", self._name, str(error))
                self._refresh()
            else:
                return
        msg = f"table {self._name} could not learn new features in {ATTEMPTS} attempts"
        raise TransientError(msg)

    def _write(self, blocks: Sequence[pa.Table]) -> list[DataFile]:
        schema = self.table.schema()
        wanted = schema_to_pyarrow(schema, include_field_ids=False)
        names = feature_names(schema)
        shaped = [_shape(block, wanted, names) for block in blocks]
        if not shaped:
            return []
        with self._warehouse():
            return write_files(self.table, pa.concat_tables(shaped))

    def _prepare(self, files: Sequence[DataFile], position: Position) -> Append:
        summary = {SUMMARY_KEY: position.to_json()}
        with self._warehouse():
            return Append(self.table, files, summary=summary, tag=TAG)

    @contextmanager
    def _warehouse(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            text = first_line(str(error))
            msg = f"the warehouse at {self.table.location()} cannot be used: {text}"
            raise TransientError(msg) from error

    def _refresh(self) -> None:
        try:
            self.table.refresh()
        except (RESTError, SQLAlchemyError, OSError) as error:
            msg = f"the catalog of table {self._name} does not answer: {first_line(str(error))}"
            raise TransientError(msg) from error

    def _check_fence(self, files: Sequence[DataFile]) -> None:
        """SinkError, and ``files`` deleted, if the table is not where we left it."""
        found = restore(self.table)
        if found == self.position:
            return
        delete_files(self.table, files)
        msg = (
            f"another writer has moved table {self._name}: it is at {_show(found)}, this sink knew "
            f"{_show(self.position)}. Run one lakehouse sink for each namespace; the other one may "
            "still be running"
        )
        raise SinkError(msg)


def _features_of(block: pa.Table) -> list[str]:
    if FEATURES not in block.column_names:
        return []
    return [field.name for field in block.schema.field(FEATURES).type]


def _shape(block: pa.Table, wanted: pa.Schema, names: Sequence[str]) -> pa.Table:
    """``block`` with the table's own columns and features, in its order; NULL where it has none."""
    columns = []
    for field in wanted:
        if field.name == FEATURES:
            columns.append(_shape_features(block, names).cast(field.type))
        elif field.name in block.column_names:
            columns.append(block.column(field.name).combine_chunks().cast(field.type))
        else:
            columns.append(pa.nulls(block.num_rows, field.type))
    return pa.Table.from_arrays(columns, schema=wanted)


def _shape_features(block: pa.Table, names: Sequence[str]) -> pa.StructArray:
    given = _features_of(block)
    missing = pa.nulls(block.num_rows, pa.float64())
    if given:
        struct = block.column(FEATURES).combine_chunks()
        arrays = [struct.field(name) if name in given else missing for name in names]
    else:
        arrays = [missing for _ in names]
    return pa.StructArray.from_arrays(arrays, names=list(names))


def _show(position: Position | None) -> str:
    return "the start" if position is None else f"offsets {dict(position.next_offsets)}"
