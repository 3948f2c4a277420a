"""The parts of pyiceberg 0.12 that are not public, and the traps around them, behind a few names.

Kept here, and pinned by a contract test, because any version of pyiceberg may change them:

- an append that meets another commit is tried again on top of it, four times by default, without
  asking anybody. Two writers at the same position then both land their rows. ``append`` never tries
  twice: it raises ``CommitFailedException`` and leaves the question to the caller;
- a failed commit deletes its manifests. If it had landed after all (the answer was lost on the
  way), that destroys the table. ``append`` leaves them in place;
- writing data files apart from committing them has no public form;
- requests to a REST catalog have no time-out, so that a server that has vanished would hold a sink
  for ever.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pyiceberg.io.pyarrow import _dataframe_to_data_files
from pyiceberg.table.snapshots import ancestors_of
from pyiceberg.table.update.snapshot import ManageSnapshots
from requests.adapters import HTTPAdapter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa
    from pyiceberg.catalog.rest import RestCatalog
    from pyiceberg.manifest import DataFile
    from pyiceberg.table import Table
    from pyiceberg.table.snapshots import Snapshot
    from requests import Response

_RETRIES = "commit.retry.num-retries"


def write_files(table: Table, rows: pa.Table) -> list[DataFile]:
    """Write ``rows`` as data files, one or more for each partition; nobody sees them yet."""
    if rows.num_rows == 0:
        return []
    return list(_dataframe_to_data_files(table_metadata=table.metadata, df=rows, io=table.io))


def delete_files(table: Table, files: Iterable[DataFile]) -> None:
    """Delete data files that no commit refers to."""
    for file in files:
        table.io.delete(file.file_path)


class Append:
    """One commit of written files, a summary and a tag together; use it once.

    ``snapshot_id`` is known before, so that one can look for it after a commit whose answer is
    missing.
    """

    def __init__(
        self, table: Table, files: Iterable[DataFile], *, summary: dict[str, str], tag: str
    ) -> None:
        self._transaction = table.transaction()
        update = self._transaction.update_snapshot(snapshot_properties=summary)
        append = update.merge_append()
        with append:
            for file in files:
                append.append_data_file(file)
        self._producer = append
        self.snapshot_id = append.snapshot_id
        with ManageSnapshots(self._transaction) as snapshots:
            snapshots.create_tag(self.snapshot_id, tag)
        # In memory only: as a property of the table it would also switch off maintenance's retries.
        table.metadata.properties[_RETRIES] = "0"
        # Without producers there is nothing to try again, and nothing to clean up after a failure.
        self._transaction._snapshot_producers.clear()

    def commit(self) -> None:
        """Try once. CommitFailedException, and anything that leaves it open whether it landed."""
        self._transaction.commit_transaction()

    def discard(self) -> None:
        """Delete the manifests of a commit that is known not to have landed."""
        self._producer._clean_all_uncommitted()


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
