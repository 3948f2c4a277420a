"""Answers that get lost, disks that are full: what a ledger keeps, and what it leaves behind."""

from __future__ import annotations

import resource
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from ledger_table import at, offsets_in, parquet_files, rows_of
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException
from pyiceberg.table.update.snapshot import _SnapshotProducer
from sqlalchemy.exc import OperationalError

from pipelines.errors import SinkError, TransientError
from sinks.lakehouse.iceberg import PreparedSnapshot
from sinks.lakehouse.ingest import ledger as module
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.position import restore

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from pyiceberg.table import Table


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def open_table(decisions_table: Callable[..., Table]) -> Callable[..., Table]:
    return decisions_table


@pytest.fixture
def blocks() -> Callable[..., list[pa.Table]]:
    return rows_of


@pytest.mark.parametrize(
    "error",
    [
        CommitFailedException("the answer was lost and the request sent again"),
        CommitStateUnknownException("no answer"),
        OperationalError("commit", {}, Exception("database is locked")),
        OSError("connection reset"),
    ],
)
def test_a_commit_whose_answer_is_lost_is_found_and_not_repeated(
    open_table: Callable[[], Table],
    blocks: Callable[..., list[pa.Table]],
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    ledger = Ledger(open_table())
    ledger.commit(blocks(0), at(1))
    land = PreparedSnapshot.commit

    def land_and_lose_the_answer(self: PreparedSnapshot) -> None:
        land(self)
        raise error

    monkeypatch.setattr(PreparedSnapshot, "commit", land_and_lose_the_answer)
    ledger.commit(blocks(1), at(2))
    monkeypatch.undo()
    ledger.commit(blocks(2), at(3))

    assert offsets_in(open_table()) == [0, 1, 2]
    assert ledger.position == at(3)


def test_a_commit_that_did_not_land_is_repeated_with_the_same_files(
    open_table: Callable[[], Table],
    blocks: Callable[..., list[pa.Table]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = Ledger(open_table())
    land = PreparedSnapshot.commit
    failures = [OSError("away"), CommitStateUnknownException("away")]

    def fail_first(self: PreparedSnapshot) -> None:
        if failures:
            raise failures.pop()
        land(self)

    monkeypatch.setattr(PreparedSnapshot, "commit", fail_first)
    ledger.commit(blocks(0, 1), at(2))

    assert offsets_in(open_table()) == [0, 1]
    assert len(parquet_files(open_table())) == 1


def test_a_commit_that_lands_long_after_its_answer_was_lost_is_found(
    open_table: Callable[[], Table],
    blocks: Callable[..., list[pa.Table]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It lands behind the second look at the table, before the second attempt."""
    ledger = Ledger(open_table())
    ledger.commit(blocks(0), at(1))
    land = PreparedSnapshot.commit
    waiting: list[PreparedSnapshot] = []

    def late(self: PreparedSnapshot) -> None:
        if not waiting:
            waiting.append(self)
            raise CommitStateUnknownException("no answer")
        known = ledger.table.metadata
        land(waiting[0])
        ledger.table.metadata = known  # it landed somewhere else: nobody told this writer
        land(self)

    monkeypatch.setattr(PreparedSnapshot, "commit", late)
    ledger.commit(blocks(1), at(2))
    monkeypatch.undo()
    ledger.commit(blocks(2), at(3))

    assert offsets_in(open_table()) == [0, 1, 2]
    assert ledger.position == at(3)


def test_a_catalog_that_takes_no_commit_ends_in_a_transient_error(
    open_table: Callable[[], Table],
    blocks: Callable[..., list[pa.Table]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = Ledger(open_table())

    def fail(_: PreparedSnapshot) -> None:
        raise CommitStateUnknownException("away")

    monkeypatch.setattr(PreparedSnapshot, "commit", fail)

    with pytest.raises(TransientError, match="took no commit in 10 attempts"):
        ledger.commit(blocks(0), at(1))


def test_a_disk_that_takes_no_more_loses_nothing(
    open_table: Callable[..., Table], blocks: Callable[..., list[pa.Table]]
) -> None:
    """The system refuses to let files grow, as it does where a disk is full."""
    ledger = Ledger(open_table())
    ledger.commit(blocks(0), at(1))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, limits[1]))
    try:
        with pytest.raises(TransientError, match=r"the warehouse at .* cannot be used"):
            ledger.commit(blocks(1), at(2))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert len(parquet_files(open_table())) == 1  # of each attempt nothing is left
    again = Ledger(open_table())
    assert again.position == at(1)
    again.commit(blocks(1), at(2))
    assert offsets_in(open_table()) == [0, 1]


def test_a_disk_that_is_full_once_the_rows_are_written_keeps_none_of_them(
    open_table: Callable[..., Table],
    blocks: Callable[..., list[pa.Table]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The manifest is what finds no room."""
    ledger = Ledger(open_table())
    ledger.commit(blocks(0), at(1))
    before = sorted(_all_files(open_table()))

    def fail(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(_SnapshotProducer, "_summary", fail)
    with pytest.raises(TransientError, match="No space left on device"):
        ledger.commit(blocks(1), at(2))
    monkeypatch.undo()

    assert sorted(_all_files(open_table())) == before


def _all_files(table: Table) -> list[str]:
    folder = Path(table.location().removeprefix("file://"))
    return [str(path) for path in folder.rglob("*.*")]


def test_what_cannot_be_deleted_does_not_hide_why_the_writer_stops(
    open_table: Callable[[], Table],
    blocks: Callable[..., list[pa.Table]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    zombie = Ledger(open_table())
    Ledger(open_table()).commit(blocks(0), at(1))

    def fail(*_: object) -> None:
        raise OSError("permission denied")

    monkeypatch.setattr(type(zombie.table.io), "delete", fail)

    with pytest.raises(SinkError, match="another writer has moved table"):
        zombie.commit(blocks(0), at(1))


def test_a_commit_that_ended_without_an_answer_can_be_given_again(
    open_table: Callable[[], Table],
    blocks: Callable[..., list[pa.Table]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All answers are lost; the first attempt lands long after the sink has given up on it."""
    ledger = Ledger(open_table())
    land = PreparedSnapshot.commit
    attempts: list[PreparedSnapshot] = []

    def lose(self: PreparedSnapshot) -> None:
        attempts.append(self)
        raise CommitStateUnknownException("no answer")

    monkeypatch.setattr(PreparedSnapshot, "commit", lose)
    with pytest.raises(TransientError, match="took no commit"):
        ledger.commit(blocks(0, 1), at(2))
    monkeypatch.undo()
    land(attempts[0])

    ledger.commit(blocks(0, 1), at(2))
    ledger.commit(blocks(2), at(3))

    assert offsets_in(open_table()) == [0, 1, 2]
    assert restore(open_table()) == at(3)


def test_a_commit_that_the_disk_refused_can_be_given_again(
    open_table: Callable[[], Table],
    blocks: Callable[..., list[pa.Table]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger = Ledger(open_table())

    def fail(*_: object, **__: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(module, "write_files", fail)
    with pytest.raises(TransientError):
        ledger.commit(blocks(0), at(1))
    monkeypatch.undo()

    ledger.commit(blocks(0), at(1))

    assert offsets_in(open_table()) == [0]
