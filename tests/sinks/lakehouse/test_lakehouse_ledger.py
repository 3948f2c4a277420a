"""Rows and position land together, once, and never on top of a second writer."""

from __future__ import annotations

import dataclasses
import resource
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException
from pyiceberg.table.update.snapshot import _SnapshotProducer
from pyiceberg.types import StringType
from sqlalchemy.exc import OperationalError

from pipelines.errors import SinkError, TransientError
from pipelines.settings import LakehouseSettings
from sinks.lakehouse import ledger as module
from sinks.lakehouse.iceberg import PreparedSnapshot
from sinks.lakehouse.ledger import Ledger
from sinks.lakehouse.position import SUMMARY_KEY, TAG, Position, restore
from sinks.lakehouse.progress import read_progress
from sinks.lakehouse.records import Records
from sinks.lakehouse.rows import decode_rows
from sinks.lakehouse.schema import create_table
from sinks.lakehouse.shaping import shape
from sinks.lakehouse.tables import DECISIONS, LABELS

if TYPE_CHECKING:
    import pyarrow as pa
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from pipelines.settings import Settings

Build = Callable[..., bytes]
Collect = Callable[..., Records]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def open_table(decisions_table: Callable[..., Table]) -> Callable[..., Table]:
    return decisions_table


@pytest.fixture
def blocks(decision: Build, records: Collect) -> Callable[..., list[pa.Table]]:
    def build(*offsets: int, **members: Any) -> list[pa.Table]:
        values = [decision(**members) for _ in offsets]
        return list(decode_rows(DECISIONS, records(*values, offset=offsets[0])).rows)

    return build


def at(offset: int, *, dead_letters: int = 0) -> Position:
    return Position(
        cluster_id="cluster",
        topic_id="topic-1",
        topic="decisions",
        next_offsets={0: offset, 1: 0},
        dead_letters=dead_letters,
    )


def offsets_in(table: Table) -> list[int]:
    return sorted(table.refresh().scan().to_arrow().column("kafka_offset").to_pylist())


def data_files(table: Table) -> int:
    return len(list(table.refresh().inspect.files().column("file_path")))


def test_rows_and_position_are_one_snapshot_and_the_next_writer_goes_on_from_it(
    open_table: Callable[[], Table], blocks: Callable[..., list[pa.Table]]
) -> None:
    first = Ledger(open_table())
    assert first.position is None
    first.commit(blocks(0, 1), at(2, dead_letters=3))

    second = Ledger(open_table())

    assert second.position == at(2, dead_letters=3)
    second.commit(blocks(2), at(3))
    table = open_table()
    assert offsets_in(table) == [0, 1, 2]
    assert len(table.snapshots()) == 2
    assert table.snapshot_by_name(TAG) == table.current_snapshot()


def test_a_position_without_rows_is_kept_as_well(open_table: Callable[[], Table]) -> None:
    Ledger(open_table()).commit([], at(5, dead_letters=5))

    assert Ledger(open_table()).position == at(5, dead_letters=5)
    assert offsets_in(open_table()) == []


def test_a_second_writer_is_fenced_and_leaves_no_rows_behind(
    open_table: Callable[[], Table], blocks: Callable[..., list[pa.Table]]
) -> None:
    Ledger(open_table()).commit(blocks(0), at(1))
    zombie, owner = Ledger(open_table()), Ledger(open_table())
    owner.commit(blocks(1), at(2))

    with pytest.raises(SinkError, match=r"another writer has moved table fraud\.decisions"):
        zombie.commit(blocks(1, 2), at(3))

    assert offsets_in(open_table()) == [0, 1]
    assert len(_parquet_files(open_table())) == data_files(open_table()) == 2


def _parquet_files(table: Table) -> list[str]:
    folder = Path(table.location().removeprefix("file://"))
    return [str(path) for path in folder.rglob("*.parquet")]


def test_two_first_writers_of_an_empty_table_are_not_both_taken(
    open_table: Callable[[], Table], blocks: Callable[..., list[pa.Table]]
) -> None:
    one, other = Ledger(open_table()), Ledger(open_table())
    one.commit(blocks(0), at(1))

    with pytest.raises(SinkError, match="it is at offsets"):
        other.commit(blocks(0), at(1))

    assert offsets_in(open_table()) == [0]


def test_a_foreign_commit_that_moves_no_position_is_no_fence(
    open_table: Callable[[], Table], blocks: Callable[..., list[pa.Table]]
) -> None:
    ledger = Ledger(open_table())
    ledger.commit(blocks(0), at(1))
    foreign = open_table()
    with foreign.transaction() as transaction:
        transaction.set_properties({"owner": "somebody"})
    (row,) = blocks(50)
    with foreign.update_schema() as update:
        update.make_column_optional("score")
    foreign.refresh().append(shape(row, foreign, topic="elsewhere"))

    ledger.commit(blocks(1), at(2))

    assert offsets_in(open_table()) == [0, 1, 50]
    assert Ledger(open_table()).position == at(2)


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
    assert len(_parquet_files(open_table())) == 1


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

    assert len(_parquet_files(open_table())) == 1  # of each attempt nothing is left
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


def test_rows_are_checked_against_the_table_as_it_is_now(
    open_table: Callable[..., Table], blocks: Callable[..., list[pa.Table]]
) -> None:
    ledger = Ledger(open_table())
    rows = blocks(0, features={"b": 2.5})
    with pytest.raises(TransientError, match=r"has no features\.b"):
        ledger.check(rows)
    open_table("b")

    ledger.check(rows)
    ledger.commit(rows, at(1))

    assert offsets_in(open_table()) == [0]


def test_a_position_never_forgets_a_partition(
    open_table: Callable[..., Table], blocks: Callable[..., list[pa.Table]]
) -> None:
    """It would begin at its first record again, and every row of it would be there twice."""
    ledger = Ledger(open_table())
    ledger.commit(blocks(0), at(1))

    with pytest.raises(SinkError, match=r"has records of partitions \[1\] of topic decisions"):
        ledger.commit(blocks(1), dataclasses.replace(at(2), next_offsets={0: 2}))

    other = dataclasses.replace(at(2), topic_id="created-again", next_offsets={0: 2})
    ledger.commit(blocks(1), other)  # of a new topic nothing is known yet
    assert restore(open_table()) == other


def test_a_table_with_rows_of_unknown_origin_is_refused(
    open_table: Callable[[], Table], blocks: Callable[..., list[pa.Table]]
) -> None:
    table = open_table()
    (block,) = blocks(0)
    table.append(block.drop_columns(["features"]))

    with pytest.raises(SinkError, match="no snapshot of it says up to which Kafka offset"):
        Ledger(open_table())


def test_after_a_rollback_the_position_is_that_of_the_rows_that_are_left(
    open_table: Callable[[], Table], blocks: Callable[..., list[pa.Table]]
) -> None:
    ledger = Ledger(open_table())
    ledger.commit(blocks(0), at(1))
    first = ledger.table.current_snapshot()
    assert first is not None
    ledger.commit(blocks(1), at(2))

    with open_table().manage_snapshots() as snapshots:
        snapshots.rollback_to_snapshot(first.snapshot_id)

    assert Ledger(open_table()).position == at(1)
    assert offsets_in(open_table()) == [0]


def test_the_tag_keeps_the_position_when_all_our_other_snapshots_have_expired(
    open_table: Callable[[], Table], blocks: Callable[..., list[pa.Table]]
) -> None:
    Ledger(open_table()).commit(blocks(0), at(1))
    Ledger(open_table()).commit(blocks(1), at(2))
    foreign = open_table()
    (row,) = blocks(50)
    foreign.append(shape(row, foreign, topic="elsewhere"))
    foreign.maintenance.expire_snapshots().older_than(
        datetime.now(UTC) + timedelta(days=1)
    ).commit()

    table = open_table()
    summaries = [one.summary.additional_properties for one in table.snapshots() if one.summary]
    assert [SUMMARY_KEY in each for each in summaries] == [True, False]  # the tagged one, the head
    assert restore(table) == at(2)


def test_a_row_with_features_that_the_table_does_not_have_waits_for_them(
    open_table: Callable[..., Table], blocks: Callable[..., list[pa.Table]]
) -> None:
    ledger = Ledger(open_table())
    ledger.commit(blocks(0), at(1))
    rows = [*blocks(1, features={"b": 2.5}), *blocks(2, features={"c": 3, "travel_kmh": 4})]

    with pytest.raises(TransientError, match=r"has no features\.b, .*apply --feature b`$"):
        ledger.commit(rows, at(3))
    open_table("b", "c")
    Ledger(open_table()).commit(rows, at(3))

    stored = sorted(open_table().scan().to_arrow().to_pylist(), key=lambda row: row["kafka_offset"])
    empty = {"card_txn_count_10s": None, "travel_kmh": None, "b": None, "c": None}
    assert [row["features"] for row in stored] == [
        {**empty, "card_txn_count_10s": 2.0},
        {**empty, "b": 2.5},
        {**empty, "c": 3.0, "travel_kmh": 4.0},
    ]


def test_a_table_that_lost_a_column_takes_no_rows(
    open_table: Callable[..., Table], blocks: Callable[..., list[pa.Table]]
) -> None:
    with open_table().update_schema() as update:
        update.rename_column("channel", "used_by")

    with pytest.raises(TransientError, match=r"has no channel, which its rows have"):
        Ledger(open_table()).commit(blocks(0), at(1))


def test_a_table_that_wants_what_no_row_has_takes_no_rows(
    open_table: Callable[..., Table], blocks: Callable[..., list[pa.Table]]
) -> None:
    with open_table().update_schema(allow_incompatible_changes=True) as update:
        update.add_column("region", StringType(), required=True)

    with pytest.raises(SinkError, match=r"wants a value for column region, which no row has"):
        Ledger(open_table()).commit(blocks(0), at(1))


def test_a_table_that_was_dropped_is_said(
    open_table: Callable[..., Table], blocks: Callable[..., list[pa.Table]], catalog: Catalog
) -> None:
    ledger = Ledger(open_table())
    catalog.drop_table("fraud.decisions")

    with pytest.raises(SinkError, match=r"table fraud\.decisions was dropped while the sink"):
        ledger.commit(blocks(0), at(1))


def test_every_row_names_its_topic(
    open_table: Callable[..., Table], blocks: Callable[..., list[pa.Table]]
) -> None:
    Ledger(open_table()).commit(blocks(0), at(1))

    assert open_table().scan().to_arrow().column("kafka_topic").to_pylist() == ["decisions"]


def test_progress_shows_rows_positions_and_what_is_not_there_yet(
    lake_settings: Settings,
    open_table: Callable[[], Table],
    blocks: Callable[..., list[pa.Table]],
    catalog: Catalog,
) -> None:
    Ledger(open_table()).commit(blocks(0, 1), at(3, dead_letters=1))
    create_table(catalog, LakehouseSettings(), LABELS)
    catalog.drop_table("fraud.dead_letters")

    progress = read_progress(lake_settings)

    decisions = progress["decisions"]
    assert (decisions.exists, decisions.rows, decisions.dead_letters) == (True, 2, 1)
    assert decisions.next_offsets == {0: 3, 1: 0}
    assert decisions.committed_at is not None
    assert (progress["labels"].exists, progress["labels"].rows) == (True, 0)
    assert progress["dead_letters"].exists is False


def test_progress_of_a_lakehouse_that_was_never_made_creates_nothing(
    lake_settings: Settings,
) -> None:
    progress = read_progress(lake_settings)

    assert [one.exists for one in progress.values()] == [False, False, False]
    assert list(lake_settings.stack.home.iterdir()) == []


def test_a_position_survives_its_text() -> None:
    position = dataclasses.replace(at(7), next_offsets={10: 1, 2: 5})

    assert Position.from_json(position.to_json()) == position
