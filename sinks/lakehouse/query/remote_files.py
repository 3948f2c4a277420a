"""Files in a store, as DuckDB reads them: by range, through the file system that pyiceberg uses.

DuckDB's own way to S3 is an extension that would have to be downloaded. It also takes any fsspec
file system, but fsspec's own around Arrow's fails or gives wrong answers: DuckDB may read one open
file in several threads at once, each of which seeks and then reads, and the position is shared
between them. Here each thread has its own.

Sizes come from the table's metadata and a data file never changes, so that nothing is asked but the
ranges that a question needs, and each footer once.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from fsspec import AbstractFileSystem

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb
    from pyarrow import NativeFile
    from pyarrow.fs import FileSystem


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteFile:
    """One file: its place in a store, and its size."""

    store: FileSystem
    path: str
    """As the store calls it, without a scheme."""
    size: int


def register_files(connection: duckdb.DuckDBPyConnection, files: Mapping[str, RemoteFile]) -> None:
    """Let ``connection`` read ``files`` by their full names, such as ``s3://bucket/folder/file``."""
    if not files:
        return
    connection.register_filesystem(RemoteFiles(files))
    connection.execute("SET parquet_metadata_cache = true")
    # The cache of ranges is what shares a file between threads, and one question needs none.
    connection.execute("SET enable_external_file_cache = false")


def without_traceback(error: duckdb.Error) -> str:
    """What is wrong; DuckDB puts a traceback before or behind it where Python read something."""
    text = str(error).partition("\n\nLINE ")[0].partition(" Detail: Python exception: ")[0]
    return text.splitlines()[-1] if text.startswith("Traceback ") else text


class RemoteFiles(AbstractFileSystem):  # type: ignore[misc] # fsspec has no types
    """What DuckDB calls of fsspec, for a known set of files."""

    cachable = False

    def __init__(self, files: Mapping[str, RemoteFile]) -> None:
        super().__init__()
        self.protocol = tuple({name.partition("://")[0] for name in files})
        self._files = files
        # DuckDB opens a file several times, and a store is asked for its size each time.
        self._opened: dict[str, NativeFile] = {}

    def glob(self, path: str, **_: Any) -> list[str]:
        return [path] if path in self._files else []

    def isdir(self, path: str) -> bool:
        return False

    def open(self, path: str, mode: str = "rb", **_: Any) -> OpenFile:
        if mode != "rb":
            msg = f"{path} cannot be written: the lakehouse is read only"
            raise PermissionError(msg)
        if path not in self._opened:
            file = self._files[path]
            self._opened[path] = file.store.open_input_file(file.path)
        return OpenFile(self._opened[path])

    def size(self, path: str) -> int:
        return self._files[path].size

    def modified(self, path: str) -> datetime:
        return datetime.fromtimestamp(0, UTC)


class OpenFile:
    """An open file with a position for each thread, because DuckDB's threads share it."""

    def __init__(self, file: NativeFile) -> None:
        self._file = file
        self._positions: dict[int, int] = {}

    def seek(self, offset: int) -> None:
        # Not thread-local storage: Python forgets a thread of DuckDB's between two calls.
        self._positions[threading.get_ident()] = offset

    def read(self, size: int) -> bytes:
        at = self._positions.get(threading.get_ident(), 0)
        found: bytes = self._file.read_at(size, at)
        self._positions[threading.get_ident()] = at + len(found)
        return found

    def close(self) -> None:
        """Nothing: the file stays open for the next one who reads it."""
