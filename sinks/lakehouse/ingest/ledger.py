"""The one place that commits: rows and position together, and never on top of a second writer.

For each commit, in this order:

1. where an earlier call ended without an answer, the table is read again: if one of our snapshots
   is there, that was all;
2. the rows become data files, once;
3. the table as we know it is still at the position we started from, and it is still our turn to
   write it; if not, SinkError ends this writer. Then one commit of files, position and tag, which
   lands only on this very state of the table: never with automatic retries;
4. where it fails or its answer is lost, the table is read again: one of our snapshots is there, or
   3 is repeated with the same files.

The check in 3 stands before every attempt because each look at the table may bring in the commit of
another writer. What was written and is known not to be part of the table is deleted. A commit whose
answer was lost may land at any later moment, so nothing it refers to is: it is left to the sweep,
as are the files of a crash between 2 and 3.
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
from sinks.lakehouse.ingest.shaping import refuse_misfit, shape
from sinks.lakehouse.position import SUMMARY_KEY, TAG, Position, restore
from sinks.lakehouse.refusals import first_line
from sinks.lakehouse.turn import is_handed_over, refuse

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
        self._tried: set[int] = set()
        """Snapshots of ours that may be in the table, or come into it yet."""
        if is_handed_over(table):
            raise refuse(table)

    def check(self, blocks: Sequence[pa.Table]) -> None:
        """TransientError if the table cannot hold the rows yet, SinkError if it cannot at all.

        The table is read again before it is refused: it may have grown meanwhile.
        """
        with self._kept():
            try:
                self._refuse_misfits(blocks)
            except TransientError:
                self._refresh()
                self._refuse_misfits(blocks)

    def commit(self, blocks: Sequence[pa.Table], position: Position) -> None:
        """Append the rows of ``blocks`` and move to ``position``, both or neither.

        SinkError if another writer moved the table meanwhile, or another tool dropped it or made it
        unfit; TransientError if the catalog or the warehouse cannot be used, after which the same
        rows and position can be given again, or a new ledger finds out what is stored.
        """
        self._refuse_lost_partitions(position)
        with self._kept():
            # 1.
            if not (self._tried and self._has_landed()):
                # 2.
                files = self._write(blocks, topic=position.topic)
                is_stored = False
                try:
                    self._land(files, position)
                    is_stored = True
                finally:
                    if not is_stored and not self._tried:
                        delete_files(self.table, [file.file_path for file in files])
        self._tried.clear()
        self.position = position

    def _land(self, files: Sequence[DataFile], position: Position) -> None:
        for attempt in range(ATTEMPTS):
            # 3.
            self._check_fence()
            snapshot = self._prepare(files, position)
            self._tried.add(snapshot.snapshot_id)
            try:
                snapshot.commit()
            except UNSURE as error:
                _LOG.warning("event=commit_open table=%s reason=%r", self._name, str(error))
                is_refused = isinstance(error, REFUSED)
            else:
                return
            # 4.
            time.sleep(PAUSE_SECONDS * min(attempt, 5))
            if self._has_landed():
                return
            if is_refused:
                self._tried.remove(snapshot.snapshot_id)
                snapshot.discard()
        msg = f"table {self._name} took no commit in {ATTEMPTS} attempts"
        raise TransientError(msg)

    def _has_landed(self) -> bool:
        self._refresh()
        return any(one.snapshot_id in self._tried for one in walk_back(self.table))

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
    def _kept(self) -> Iterator[None]:
        """Within the block, a table that is gone is said."""
        try:
            yield
        except NoSuchTableError as error:
            msg = (
                f"table {self._name} was dropped while the sink wrote to it. A new start creates "
                "it and fills it from the oldest record that Kafka still has"
            )
            raise SinkError(msg) from error

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

    def _refuse_misfits(self, blocks: Sequence[pa.Table]) -> None:
        for block in blocks:
            refuse_misfit(block.schema, self.table)

    def _check_fence(self) -> None:
        """SinkError if the table is not where we left it, or if it is not our turn to write."""
        if is_handed_over(self.table):
            raise refuse(self.table)
        found = restore(self.table)
        if found != self.position:
            msg = (
                f"another writer has moved table {self._name}: it is at {_show(found)}, this sink "
                f"knew {_show(self.position)}. Run one lakehouse sink for each namespace; the "
                "other one may still be running"
            )
            raise SinkError(msg)

    def _refuse_lost_partitions(self, position: Position) -> None:
        """A topic never loses partitions: one that is forgotten would begin anew, and twice."""
        known = self.position
        if known is None or known.topic_id != position.topic_id:
            return
        lost = sorted(known.next_offsets.keys() - position.next_offsets.keys())
        if lost:
            msg = (
                f"table {self._name} has records of partitions {lost} of topic {position.topic}, "
                "which the sink has lost sight of: start it again"
            )
            raise SinkError(msg)

    @property
    def _name(self) -> str:
        return ".".join(self.table.name())


def _show(position: Position | None) -> str:
    return "the start" if position is None else f"offsets {dict(position.next_offsets)}"
