"""Files under a table that belong to no snapshot: left by killed writers and commits that failed.

A file that is being written belongs to none either, and a commit whose answer was lost may land
late. So only files are taken that are older than a safe age, and the list is made before the
metadata is read: what is committed in between counts as reachable.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pyarrow.fs import FileSelector, FileType

from sinks.lakehouse.upkeep.reachable import find_reachable
from sinks.lakehouse.upkeep.removal import remove_files

if TYPE_CHECKING:
    from datetime import timedelta

    from pyarrow.fs import FileInfo
    from pyiceberg.io.pyarrow import PyArrowFileIO
    from pyiceberg.table import Table

KINDS = (".parquet", ".avro", ".metadata.json", ".metadata.json.gz", ".puffin", ".stats")
"""What Iceberg writers leave. Anything else under a table is not ours to judge."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """Files found under the table, and those of them that are, or would be, gone."""

    files: int
    bytes: int
    stray: tuple[str, ...]
    stray_bytes: int
    young: int
    """Strays that are not old enough yet."""


def sweep_strays(table: Table, *, older_than: timedelta, dry_run: bool) -> Swept:
    """Delete stray files of at least that age; TransientError if one cannot be deleted."""
    listed = _list_files(table)
    table.refresh()
    reachable = {_path(table, each) for each in _all_reachable(table)}
    strays = [info for info in listed if info.path not in reachable]
    limit = datetime.now(UTC) - older_than
    old = [info for info in strays if info.mtime <= limit]
    stray = tuple(_location(table, info.path) for info in old)
    if not dry_run:
        remove_files(table, stray)
    return Swept(
        files=len(listed),
        bytes=sum(info.size for info in listed),
        stray=stray,
        stray_bytes=sum(info.size for info in old),
        young=len(strays) - len(old),
    )


def _list_files(table: Table) -> list[FileInfo]:
    io: PyArrowFileIO = table.io  # type: ignore[assignment]  # catalog.py sees to that
    scheme, netloc, path = io.parse_location(table.location())
    selector = FileSelector(path, recursive=True, allow_not_found=True)
    found: list[FileInfo] = io.fs_by_scheme(scheme, netloc).get_file_info(selector)
    return [info for info in found if info.type == FileType.File and info.path.endswith(KINDS)]


def _all_reachable(table: Table) -> set[str]:
    metadata = table.metadata
    found = set(find_reachable(table, table.snapshots()).all())
    found.add(table.metadata_location)
    found.update(entry.metadata_file for entry in metadata.metadata_log)
    found.update(one.statistics_path for one in metadata.statistics)
    found.update(one.statistics_path for one in metadata.partition_statistics)
    return found


def _path(table: Table, location: str) -> str:
    """As the file system lists it."""
    io: PyArrowFileIO = table.io  # type: ignore[assignment]
    return io.parse_location(location)[2]


def _location(table: Table, path: str) -> str:
    """As the table would have it."""
    scheme = table.location().partition("://")[0]
    return f"{scheme}://{path}" if "://" in table.location() else path
