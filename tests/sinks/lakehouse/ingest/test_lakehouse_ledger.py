"""Rows and position land together, once, and never on top of a second writer."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from ledger_table import at, data_files, offsets_in, parquet_files, rows_of
from pyiceberg.types import StringType

from pipelines.errors import SinkError, TransientError
from pipelines.settings import LakehouseSettings
from sinks.lakehouse.ingest import ledger as module
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.ingest.shaping import shape
from sinks.lakehouse.position import SUMMARY_KEY, TAG, Position, restore
from sinks.lakehouse.progress import read_progress
from sinks.lakehouse.schema import create_table
from sinks.lakehouse.tables import LABELS

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from pipelines.settings import Settings


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def open_table(decisions_table: Callable[..., Table]) -> Callable[..., Table]:
    return decisions_table


@pytest.fixture
def blocks() -> Callable[..., list[pa.Table]]:
    return rows_of


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
    assert len(parquet_files(open_table())) == data_files(open_table()) == 2


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
