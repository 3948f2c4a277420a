"""DuckDB reads files through Python: right in many threads, and no more than it needs."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyarrow.fs import LocalFileSystem

from sinks.lakehouse.query.remote_files import (
    RemoteFile,
    RemoteFiles,
    register_files,
    without_traceback,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ROWS = 100_000
ROWS_OF_A_GROUP = 10_000
NAME = "s3://bucket/a folder/x=1/t.parquet"


@dataclass
class CountingStore:
    """A store that remembers which ranges were read."""

    files: LocalFileSystem = field(default_factory=LocalFileSystem)
    ranges: list[tuple[int, int]] = field(default_factory=list)
    opened: int = 0
    is_away: bool = False

    def open_input_file(self, path: str) -> CountingFile:
        self.opened += 1
        return CountingFile(file=self.files.open_input_file(path), store=self)

    def bytes_read(self) -> int:
        return sum(size for _, size in self.ranges)


@dataclass
class CountingFile:
    file: pa.NativeFile
    store: CountingStore

    def read_at(self, size: int, offset: int) -> Any:
        if self.store.is_away:
            raise OSError("the store is away")
        self.store.ranges.append((offset, size))
        return self.file.read_at(size, offset)


@pytest.fixture
def store() -> CountingStore:
    return CountingStore()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Ten groups of rows, in the order of ``id``; one feature is a twentieth of it."""
    ids = range(ROWS)
    dice = Random(7)
    members = [pa.array([dice.random() for _ in ids]) for _ in range(8)]
    table = pa.table(
        {
            "id": pa.array(ids),
            "note": pa.array([dice.randbytes(40).hex() for _ in ids]),
            "features": pa.StructArray.from_arrays(members, names=[f"f{at}" for at in range(8)]),
        }
    )
    path = tmp_path / "t.parquet"
    pq.write_table(table, path, row_group_size=ROWS_OF_A_GROUP, compression="zstd")
    return path


@pytest.fixture
def remote(file: Path, store: CountingStore) -> dict[str, RemoteFile]:
    return {NAME: RemoteFile(store=store, path=str(file), size=file.stat().st_size)}


@pytest.fixture
def connection(
    remote: dict[str, RemoteFile], store: CountingStore
) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as opened:
        register_files(opened, remote)
        opened.execute("SET threads = 8")
        opened.execute(f"CREATE VIEW t AS FROM read_parquet('{NAME}')")
        store.ranges.clear()
        yield opened


def test_each_thread_has_a_place_of_its_own_in_a_shared_file(
    remote: dict[str, RemoteFile], file: Path
) -> None:
    """With one place for all, a thread read what another had looked for, and answers changed."""
    content = file.read_bytes()
    opened = RemoteFiles(remote).open(NAME)
    with ThreadPoolExecutor(1) as other:
        opened.seek(1000)
        other.submit(opened.seek, 5).result()

        assert opened.read(10) == content[1000:1010]
        assert other.submit(opened.read, 10).result() == content[5:15]
        assert opened.read(10) == content[1010:1020]


def test_many_threads_of_one_question_get_the_right_answer(
    connection: duckdb.DuckDBPyConnection, file: Path
) -> None:
    question = "SELECT sum(hash(id)), sum(hash(features.f3)), sum(hash(note)) FROM {}"
    wanted = duckdb.sql(question.format(f"read_parquet('{file}')")).fetchall()

    for _ in range(5):
        assert connection.execute(question.format("t")).fetchall() == wanted


def test_one_member_of_a_struct_is_read_without_the_others(
    connection: duckdb.DuckDBPyConnection, store: CountingStore, file: Path
) -> None:
    connection.execute("SELECT sum(features.f3) FROM t").fetchall()

    assert 0 < store.bytes_read() < file.stat().st_size / 10


def test_groups_of_rows_that_cannot_hold_the_answer_are_not_read(
    connection: duckdb.DuckDBPyConnection, store: CountingStore
) -> None:
    connection.execute("SELECT sum(features.f3) FROM t").fetchall()
    whole = store.bytes_read()
    store.ranges.clear()

    question = "SELECT count(features.f3) FROM t WHERE id BETWEEN 50100 AND 50200"
    assert connection.execute(question).fetchall() == [(101,)]

    groups = ROWS // ROWS_OF_A_GROUP
    assert store.bytes_read() < 5 * whole / groups


def test_a_file_is_opened_once_and_its_footer_read_once(
    connection: duckdb.DuckDBPyConnection, store: CountingStore, file: Path
) -> None:
    for _ in range(3):
        assert connection.execute("SELECT count(*) FROM t").fetchall() == [(ROWS,)]

    assert store.ranges == []
    assert store.opened == 1


def test_a_file_that_is_not_of_the_table_is_not_there(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    with pytest.raises(duckdb.Error, match=r"No files found .*other\.parquet"):
        connection.execute("FROM read_parquet('s3://bucket/other.parquet')")


def test_a_file_that_can_no_longer_be_read_is_one_line(
    connection: duckdb.DuckDBPyConnection, store: CountingStore
) -> None:
    store.is_away = True

    with pytest.raises(duckdb.Error) as caught:
        connection.execute("SELECT sum(id) FROM t").fetchall()

    assert without_traceback(caught.value) == "OSError: the store is away"
