"""The parts of pyiceberg 0.12 that are not public, and the traps around them, behind a few names.

Kept here, and pinned by a contract test, because any version of pyiceberg may change them:

- a commit that meets another one is tried again on top of it, four times by default, without
  asking anybody. Two writers at the same position then both land their rows. ``PreparedSnapshot``
  never tries twice: it raises ``CommitFailedException`` and leaves the question to the caller;
- a failed commit deletes its manifests. If it had landed after all (the answer was lost on the
  way), that destroys the table. ``PreparedSnapshot`` leaves them in place;
- writing data files apart from committing them has no public form, nor has reading a file bit by
  bit (``upkeep/data_files.py`` has what compaction needs of both);
- requests to a REST catalog have no time-out, so that a server that has vanished would hold a sink
  for ever.
"""

from __future__ import annotations

import logging
import threading
from contextlib import ExitStack
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pyiceberg.exceptions import (
    CommitFailedException,
    CommitStateUnknownException,
    RESTError,
    ValidationException,
)
from pyiceberg.io import FileIO, InputFile, OutputFile, OutputStream
from pyiceberg.io.pyarrow import _dataframe_to_data_files
from pyiceberg.table import Transaction
from pyiceberg.table.snapshots import ancestors_of
from pyiceberg.table.update import update_table_metadata
from pyiceberg.table.update.snapshot import ExpireSnapshots, ManageSnapshots
from requests.adapters import HTTPAdapter
from sqlalchemy.exc import SQLAlchemyError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa
    from pyiceberg.catalog.rest import RestCatalog
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table
    from pyiceberg.table.metadata import TableMetadata
    from pyiceberg.table.snapshots import Snapshot
    from pyiceberg.table.update import TableUpdate
    from requests import Response

_LOG = logging.getLogger(__name__)
NO_PROPERTIES: Mapping[str, str | None] = MappingProxyType({})
_RETRIES = "commit.retry.num-retries"
REFUSED = (CommitFailedException, ValidationException)
"""A commit that met another one."""
UNSURE = (*REFUSED, CommitStateUnknownException, RESTError, SQLAlchemyError, OSError)
"""Every way in which a catalog, or the way to it, says no or does not say anything."""


def write_files(table: Table, rows: pa.Table) -> list[DataFile]:
    """Write ``rows`` as data files, one or more for each partition; nobody sees them yet.

    Where that fails, as on a full disk, what was written of them is deleted.
    """
    if rows.num_rows == 0:
        return []
    io = _NotingIO(table.io)
    with ExitStack() as undo:
        undo.callback(io.stop)
        files = list(_dataframe_to_data_files(table_metadata=table.metadata, df=rows, io=io))
        undo.pop_all()
    return files


def delete_files(table: Table, paths: Iterable[str]) -> None:
    """Delete files that no commit refers to, as far as that is possible: the sweep takes others."""
    for path in paths:
        _delete(table.io, path)


def _delete(io: FileIO, path: str) -> None:
    try:
        io.delete(path)
    except FileNotFoundError:
        pass
    except OSError as error:
        _LOG.warning("event=file_left path=%s reason=%r", path, str(error))


class _NotingIO(FileIO):
    """The table's files, with a note of each that is begun.

    pyiceberg writes several at once, and when one of them fails it waits for no other: one that is
    whole only then is deleted by who has written it.
    """

    def __init__(self, io: FileIO) -> None:
        super().__init__(io.properties)
        self._io = io
        self._begun: list[str] = []
        self._is_stopped = False
        self._one_change = threading.Lock()

    def stop(self) -> None:
        """Begin no file any more, and delete those that were."""
        with self._one_change:
            self._is_stopped = True
        for path in self._begun:
            _delete(self._io, path)

    def new_output(self, location: str) -> OutputFile:
        with self._one_change:
            self._refuse_if_stopped()
            self._begun.append(location)
        return _NotedFile(self, self._io.new_output(location))

    def note_whole(self, location: str) -> None:
        """The file is written to its end; OSError if by then nobody wants it."""
        with self._one_change:
            try:
                self._refuse_if_stopped()
            except OSError:
                _delete(self._io, location)
                raise

    def _refuse_if_stopped(self) -> None:
        if self._is_stopped:
            msg = "another file of this batch could not be written"
            raise OSError(msg)

    def new_input(self, location: str) -> InputFile:
        return self._io.new_input(location)

    def delete(self, location: str | InputFile | OutputFile) -> None:
        self._io.delete(location)


class _NotedFile(OutputFile):
    """A file that is asked for its length once it is whole, and notes that."""

    def __init__(self, io: _NotingIO, file: OutputFile) -> None:
        super().__init__(file.location)
        self._io, self._file = io, file

    def __len__(self) -> int:
        size = len(self._file)
        self._io.note_whole(self.location)
        return size

    def exists(self) -> bool:
        return self._file.exists()

    def to_input_file(self) -> InputFile:
        return self._file.to_input_file()

    def create(self, overwrite: bool = False) -> OutputStream:
        return self._file.create(overwrite=overwrite)


class _ThriftyTransaction(Transaction):
    """Works its metadata out once for each staged update.

    pyiceberg does it at each look, some twenty times a commit, and copies every snapshot each time:
    with a hundred snapshots that was four fifths of the whole commit.
    """

    _worked_out: tuple[TableMetadata, tuple[TableUpdate, ...], TableMetadata] | None = None

    @property
    def table_metadata(self) -> TableMetadata:
        base, updates = self._table.metadata, self._updates
        known = self._worked_out
        if known is None or known[0] is not base or known[1] is not updates:
            known = base, updates, update_table_metadata(base, updates)
            self._worked_out = known
        return known[2]


class PreparedSnapshot:
    """One commit of written files, with what it takes away, a summary and a tag; use it once.

    ``properties`` of the table are set in the same commit; None takes one away. ``snapshot_id`` is
    known before, so that one can look for it after a commit whose answer is missing.
    ValidationException if a file of ``remove`` is no longer in the table.
    """

    def __init__(
        self,
        table: Table,
        *,
        add: Iterable[DataFile],
        remove: Iterable[DataFile] = (),
        summary: dict[str, str],
        tag: str | None = None,
        properties: Mapping[str, str | None] = NO_PROPERTIES,
    ) -> None:
        self._transaction = _ThriftyTransaction(table)
        update = self._transaction.update_snapshot(snapshot_properties=summary)
        gone = tuple(remove)
        self._producer = update.overwrite() if gone else update.merge_append()
        self.snapshot_id = self._producer.snapshot_id
        with ExitStack() as undo:
            undo.callback(self.discard)
            with self._producer as producer:
                for file in gone:
                    producer.delete_data_file(file)
                for file in add:
                    producer.append_data_file(file)
            undo.pop_all()
        if tag is not None:
            with ManageSnapshots(self._transaction) as snapshots:
                snapshots.create_tag(self.snapshot_id, tag)
        self._set(properties)
        # In memory only: as a property of the table it would also switch off others' retries.
        table.metadata.properties[_RETRIES] = "0"
        # Without producers there is nothing to try again, and nothing to clean up after a failure.
        self._transaction._snapshot_producers.clear()

    def _set(self, properties: Mapping[str, str | None]) -> None:
        wanted = {name: value for name, value in properties.items() if value is not None}
        if wanted:
            self._transaction.set_properties(wanted)
        known = self._transaction.table_metadata.properties
        gone = [name for name, value in properties.items() if value is None and name in known]
        if gone:
            self._transaction.remove_properties(*gone)

    def commit(self) -> None:
        """Try once. CommitFailedException, and anything that leaves it open whether it landed."""
        self._transaction.commit_transaction()

    def discard(self) -> None:
        """Delete the manifests of a commit that is known not to have landed."""
        self._producer._clean_all_uncommitted()


def forget_snapshots(table: Table, snapshot_ids: list[int]) -> None:
    """Take them out of the metadata, all or none; ValueError if one is gone or has got a tag.

    The public way to it copies the metadata twice for each: 41 s for 500 commits, 2.4 s this way.
    """
    transaction = _ThriftyTransaction(table, autocommit=True)
    ExpireSnapshots(transaction=transaction).by_ids(snapshot_ids).commit()


def walk_back(table: Table) -> Iterator[Snapshot]:
    """The snapshots of main, newest first, as far as they are kept."""
    return iter(ancestors_of(table.current_snapshot(), table.metadata))


def bound_requests(catalog: RestCatalog, *, seconds: float) -> None:
    """Let each request to the catalog fail that is not answered within ``seconds``."""
    for scheme in ("http://", "https://"):
        catalog._session.mount(scheme, _BoundAdapter(seconds))


class _BoundAdapter(HTTPAdapter):
    def __init__(self, seconds: float) -> None:
        super().__init__()
        self._seconds = seconds

    def send(self, *args: Any, **options: Any) -> Response:
        return super().send(*args, **{**options, "timeout": self._seconds})
