"""The one place that commits: rows and position together, and never on top of a second writer.

For each commit, in this order:

1. the rows become data files, once;
2. the table as we know it is still at the position we started from; if not, somebody else has moved
   it, our files are deleted and SinkError ends this writer. Then one commit of files, position and
   tag, which lands only on this very state of the table: never with automatic retries;
3. where it fails or its answer is lost, the table is read again: one of our snapshots is there, or
   2 is repeated with the same files. A commit whose answer was lost may land at any later moment,
   so nothing it refers to is ever deleted.

The check in 2 stands before every attempt because each look at the table may bring in the commit of
another writer.

A crash between 1 and 2 leaves files that nobody refers to; maintenance sweeps them.
"""

from __future__ import annotations

import logging
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
from pyiceberg.exceptions import NoSuchTableError, RESTError
from sqlalchemy.exc import SQLAlchemyError

from pipelines.errors import SinkError, TransientError
from sinks.lakehouse.iceberg import (
    REFUSED,
    UNSURE,
    PreparedSnapshot,
    delete_files,
    walk_back,
    write_files,
)
from sinks.lakehouse.position import SUMMARY_KEY, TAG, Position, is_handed_over, restore
from sinks.lakehouse.refusals import first_line
from sinks.lakehouse.shaping import shape

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table

_LOG = logging.getLogger(__name__)
ATTEMPTS = 10
PAUSE_SECONDS = 0.2


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

        SinkError if another writer moved the table meanwhile, or another tool dropped it or made it
        unfit; TransientError if the catalog or the warehouse cannot be used, after which a new
        ledger finds out what is stored.
        """
        try:
            self._commit(blocks, position)
        except NoSuchTableError as error:
            msg = (
                f"table {self._name} was dropped while the sink wrote to it. A new start creates "
                "it and fills it from the oldest record that Kafka still has"
            )
            raise SinkError(msg) from error

    def _commit(self, blocks: Sequence[pa.Table], position: Position) -> None:
        # 1.
        files = self._write(blocks, topic=position.topic)
        tried: set[int] = set()
        is_open = False
        for attempt in range(ATTEMPTS):
            # 2.
            self._check_fence(() if is_open else files)
            snapshot = self._prepare(files, position)
            tried.add(snapshot.snapshot_id)
            try:
                snapshot.commit()
            except UNSURE as error:
                _LOG.warning("event=commit_open table=%s reason=%r", self._name, str(error))
                is_refused = isinstance(error, REFUSED)
            else:
                self.position = position
                return
            # 3.
            time.sleep(PAUSE_SECONDS * min(attempt, 5))
            self._refresh()
            if any(one.snapshot_id in tried for one in walk_back(self.table)):
                self.position = position
                return
            if is_refused:
                snapshot.discard()
            else:
                is_open = True
        msg = f"table {self._name} took no commit in {ATTEMPTS} attempts"
        raise TransientError(msg)

    def _write(self, blocks: Sequence[pa.Table], *, topic: str) -> list[DataFile]:
        shaped = [shape(block, self.table, topic=topic) for block in blocks]
        if not shaped:
            return []
        with self._warehouse():
            return write_files(self.table, pa.concat_tables(shaped))

    def _prepare(self, files: Sequence[DataFile], position: Position) -> PreparedSnapshot:
        summary = {SUMMARY_KEY: position.to_json()}
        with self._warehouse():
            return PreparedSnapshot(self.table, add=files, summary=summary, tag=TAG)

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

    @property
    def _name(self) -> str:
        return ".".join(self.table.name())


def _show(position: Position | None) -> str:
    return "the start" if position is None else f"offsets {dict(position.next_offsets)}"
