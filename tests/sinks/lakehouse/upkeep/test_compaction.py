"""Compaction changes files, never rows, and gives way to whoever changed its files."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow.parquet as pq
import pytest
from delete_files import delete_row
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException
from pyiceberg.transforms import BucketTransform
from pyiceberg.types import LongType, StringType
from stored_table import files_under, rows_of

from pipelines.errors import SinkError, TransientError
from sinks.lakehouse.iceberg import PreparedSnapshot
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.position import restore
from sinks.lakehouse.upkeep import compaction
from sinks.lakehouse.upkeep.compaction import plan_compaction, rewrite_files
from sinks.lakehouse.upkeep.data_files import DataFileWriter

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from sinks.lakehouse.upkeep.compaction import Rewrite, Rewritten

MB = 1_000_000
NEVER = datetime(2100, 1, 1, tzinfo=UTC)
FIRST_DAY = "2026-03-01T12:00:00Z"
SECOND_DAY = "2026-03-02T23:59:59.999Z"

Open = Callable[[], "Table"]
Store = Callable[..., None]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compaction, "PAUSE_SECONDS", 0.0)


def plan(table: Table, **options: Any) -> tuple[Rewrite, ...]:
    chosen: dict[str, Any] = {"target_bytes": MB, "closed_before": NEVER, **options}
    return plan_compaction(table, **chosen)


def compact(table: Table, **options: Any) -> list[Rewritten]:
    target = options.get("target_bytes", MB)
    rewrites = plan(table, **options)
    return [rewrite_files(table, one, target_bytes=target) for one in rewrites]


def test_small_files_become_one_sorted_by_card_and_time_and_no_row_changes(
    open_table: Open, store: Store
) -> None:
    for card in ("c-3", "c-1", "c-2"):
        store(
            {"card_id": card, "event_time": FIRST_DAY},
            {"card_id": "c-1", "event_time": "2026-03-01T11:00:00Z"},
        )
    before = rows_of(open_table())

    (done,) = compact(open_table())

    assert (done.rewrite.name, len(done.rewrite.tasks), done.files) == (
        "event_time_day=2026-03-01",
        3,
        1,
    )
    assert rows_of(open_table()) == before
    (task,) = open_table().scan().plan_files()
    assert task.file.sort_order_id == open_table().sort_order().order_id
    stored = pq.read_table(task.file.file_path.removeprefix("file://"))
    assert stored.column("card_id").to_pylist() == ["c-1", "c-1", "c-1", "c-1", "c-2", "c-3"]
    times = [at.hour for at in stored.column("event_time").to_pylist()]
    assert times == [11, 11, 11, 12, 12, 12]


def test_a_large_partition_is_cut_at_the_target_and_bounds_of_each_file_are_its_own(
    open_table: Open, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compaction, "row_group_rows", lambda _: 2048)
    for half in range(2):
        store(
            *(
                {"card_id": f"c-{at:05d}", "transaction_id": f"t-{at}"}
                for at in range(half, 10_000, 2)
            )
        )
    before = rows_of(open_table())

    (done,) = compact(open_table(), target_bytes=60_000)

    tasks = list(open_table().scan().plan_files())
    assert done.files == len(tasks) > 1
    assert rows_of(open_table()) == before
    card = open_table().schema().find_field("card_id").field_id
    ranges = sorted((task.file.lower_bounds[card], task.file.upper_bounds[card]) for task in tasks)
    assert all(a[1] < b[0] for a, b in itertools.pairwise(ranges))
    found = open_table().scan(row_filter="card_id == 'c-00007'")
    assert len(list(found.plan_files())) == 1
    assert found.to_arrow().column("transaction_id").to_pylist() == ["t-7"]


def test_a_partition_that_is_not_closed_is_left_alone(open_table: Open, store: Store) -> None:
    for _ in range(2):
        store({"event_time": FIRST_DAY}, {"event_time": SECOND_DAY})
    midnight = datetime(2026, 3, 2, tzinfo=UTC)

    assert plan(open_table(), closed_before=midnight - timedelta(seconds=1)) == ()
    names = [one.name for one in plan(open_table(), closed_before=midnight)]
    assert names == ["event_time_day=2026-03-01"]


def test_what_is_in_order_is_not_written_again(open_table: Open, store: Store) -> None:
    for _ in range(2):
        store({})
    compact(open_table())

    assert plan(open_table()) == ()
    store({})
    assert [len(one.tasks) for one in plan(open_table())] == [2]  # the late one, with the small one
    compact(open_table())
    assert plan(open_table()) == ()


def test_rows_that_the_sink_appends_meanwhile_stay(
    open_table: Open, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store({}), store({})
    finish = DataFileWriter.finish

    def append_first(self: DataFileWriter) -> object:
        store({"transaction_id": "meanwhile"})
        return finish(self)

    monkeypatch.setattr(DataFileWriter, "finish", append_first)
    (done,) = compact(open_table())

    assert not done.is_refused
    assert [row["transaction_id"] for row in rows_of(open_table())] == ["t-1", "t-1", "meanwhile"]
    position = restore(open_table())
    assert position is not None
    assert position.next_offsets == {0: 3}


def test_a_sink_goes_on_from_its_own_position_behind_a_compaction(
    open_table: Open, store: Store
) -> None:
    store({}), store({})
    ledger = Ledger(open_table())
    compact(open_table())

    store({})

    assert [row["kafka_offset"] for row in rows_of(open_table())] == [0, 1, 2]
    assert ledger.position is not None  # nobody was fenced
    summary = open_table().snapshots()[-2].summary
    assert summary is not None
    assert summary.additional_properties[compaction.SUMMARY_KEY] == "compaction"
    assert "fraudlake.sink.position" not in summary.additional_properties


def test_of_two_compactions_of_the_same_files_one_steps_back_and_leaves_nothing(
    open_table: Open, store: Store
) -> None:
    store({}), store({})
    slow = open_table()
    (planned,) = plan(slow)
    compact(open_table())
    known = files_under(slow)

    done = rewrite_files(slow, planned, target_bytes=MB)

    assert (done.is_refused, done.files) == (True, 2)
    assert [row["kafka_offset"] for row in rows_of(open_table())] == [0, 1]
    assert files_under(slow) == known


def test_a_compaction_whose_answer_is_lost_is_found(
    open_table: Open, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store({}), store({})
    land = PreparedSnapshot.commit

    def land_and_lose_the_answer(self: PreparedSnapshot) -> None:
        land(self)
        raise CommitFailedException("409 to a request that was sent twice")

    monkeypatch.setattr(PreparedSnapshot, "commit", land_and_lose_the_answer)
    (done,) = compact(open_table())

    assert (done.is_refused, done.files) == (False, 1)
    assert [row["kafka_offset"] for row in rows_of(open_table())] == [0, 1]


def test_a_compaction_that_may_still_land_keeps_its_files(
    open_table: Open, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store({}), store({})
    land = PreparedSnapshot.commit
    waiting: list[PreparedSnapshot] = []

    def stay_silent(self: PreparedSnapshot) -> None:
        waiting.append(self)
        raise CommitStateUnknownException("no answer")

    monkeypatch.setattr(PreparedSnapshot, "commit", stay_silent)
    with pytest.raises(TransientError, match="did not say whether a compaction landed"):
        compact(open_table())
    land(waiting[0])

    assert [row["kafka_offset"] for row in rows_of(open_table())] == [0, 1]
    assert len(list(open_table().scan().plan_files())) == 1


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (OSError(28, "No space left on device"), "the warehouse at .* cannot be used: .*No space"),
        (
            duckdb.IOException('IO Error: Could not write file "x": No space left on device'),
            "the warehouse at .* cannot be used: IO Error: .*No space left",
        ),
        (
            duckdb.OutOfMemoryException("Out of Memory Error: failed to offload data block"),
            "too little memory and disk to sort fraud.decisions in: Out of Memory",
        ),
    ],
)
def test_a_full_disk_or_memory_is_a_sentence_and_leaves_everything_as_it_was(
    open_table: Open,
    store: Store,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
    sentence: str,
) -> None:
    """DuckDB's own errors went through as a traceback, and half-written files stayed."""
    store({}), store({})
    known = files_under(open_table())
    write = DataFileWriter.write

    def write_and_fail(self: DataFileWriter, rows: Any) -> None:
        write(self, rows)
        raise error

    monkeypatch.setattr(DataFileWriter, "write", write_and_fail)
    with pytest.raises(TransientError, match=sentence):
        compact(open_table())

    assert files_under(open_table()) == known


def test_a_data_file_that_is_missing_is_a_sentence_and_leaves_nothing_new(
    open_table: Open, store: Store
) -> None:
    """What pyiceberg cannot read comes out of DuckDB as an error of DuckDB's."""
    store({}), store({})
    rewrites = plan(open_table())
    known = files_under(open_table())
    path = Path(rewrites[0].tasks[0].file.file_path.removeprefix("file://"))
    path.rename(f"{path}.away")

    with pytest.raises(
        TransientError, match=r"the warehouse at .* cannot be used: .*Failed to open local file"
    ) as caught:
        rewrite_files(open_table(), rewrites[0], target_bytes=MB)

    assert "Traceback" not in str(caught.value)
    path.with_name(f"{path.name}.away").rename(path)
    assert files_under(open_table()) == known


def test_rows_that_are_deleted_while_a_compaction_writes_stop_it_and_nothing_is_left(
    open_table: Open, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused by a SinkError, the compacted files stayed."""
    store({}), store({})
    write, paths = DataFileWriter.write, [one.file.file_path for one in plan(open_table())[0].tasks]

    def delete_meanwhile(self: DataFileWriter, rows: Any) -> None:
        write(self, rows)
        delete_row(open_table(), paths[0], 0)

    monkeypatch.setattr(DataFileWriter, "write", delete_meanwhile)
    with pytest.raises(SinkError, match="another engine has deleted rows of fraud"):
        compact(open_table())

    assert not [path for path in files_under(open_table()) if "compacted-" in path]
    assert len(rows_of(open_table())) == 1


def test_a_catalog_that_goes_away_in_a_commit_keeps_the_files_that_may_be_of_it(
    open_table: Open, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store({}), store({})
    rewrites, table = plan(open_table()), open_table()
    commit = PreparedSnapshot.commit

    def land_and_go(self: PreparedSnapshot) -> None:
        commit(self)
        monkeypatch.setattr(type(table), "refresh", refuse)
        raise CommitStateUnknownException("the line went dead")

    def refuse(_: Table) -> Table:
        raise OSError("no route to host")

    monkeypatch.setattr(PreparedSnapshot, "commit", land_and_go)
    with pytest.raises(TransientError, match="did not say whether a compaction landed"):
        rewrite_files(table, rewrites[0], target_bytes=MB)

    monkeypatch.undo()
    assert len(rows_of(open_table())) == 2


def test_columns_that_were_renamed_added_or_widened_since_read_as_before(
    open_table: Open, store: Store
) -> None:
    store({}), store({})
    with open_table().update_schema() as update:
        update.rename_column("channel", "used_by")
        update.add_column("note", StringType())
        update.update_column("kafka_partition", LongType())
    before = rows_of(open_table())

    compact(open_table())

    assert rows_of(open_table()) == before
    assert [(row["used_by"], row["note"]) for row in before] == [("pos", None)] * 2


def test_a_table_sorted_in_a_way_we_do_not_know_is_refused(open_table: Open, store: Store) -> None:
    store({}), store({})
    with open_table().update_sort_order() as update:
        update.asc("card_id", BucketTransform(16))

    with pytest.raises(SinkError, match=r"fraud\.decisions is sorted by .*bucket\[16\]"):
        compact(open_table())


def test_rows_deleted_by_another_engine_are_not_brought_back(
    open_table: Open, store: Store
) -> None:
    store({}), store({})
    (rewrite,) = plan(open_table())
    delete_row(open_table(), rewrite.tasks[0].file.file_path, 0)

    with pytest.raises(SinkError, match="another engine has deleted rows of fraud"):
        plan(open_table())
    assert len(rows_of(open_table())) == 1


def test_duckdb_reads_what_was_written(open_table: Open, store: Store) -> None:
    store({"amount": 12.3456}), store({"amount": 0.1})
    compact(open_table())
    (task,) = open_table().scan().plan_files()

    rows = duckdb.sql(
        f"select amount, rules_fired, features.card_txn_count_10s, event_time::varchar "
        f"from read_parquet('{task.file.file_path}') order by amount"
    ).fetchall()

    assert [(str(row[0]), row[1], row[2]) for row in rows] == [
        ("0.1000", ["velocity", "large_amount"], 2.0),
        ("12.3456", ["velocity", "large_amount"], 2.0),
    ]


def test_a_table_without_rows_has_nothing_to_compact(catalog: Catalog, open_table: Open) -> None:
    assert plan(open_table()) == ()
