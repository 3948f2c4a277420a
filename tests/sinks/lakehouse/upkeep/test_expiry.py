"""Expiry deletes what nobody can reach, and never what somebody still can."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table.update.snapshot import ExpireSnapshots
from snapshot_times import set_times
from stored_table import files_under, rows_of

from pipelines.errors import TransientError
from sinks.lakehouse.history import tagged_hours
from sinks.lakehouse.position import restore
from sinks.lakehouse.upkeep import expiry
from sinks.lakehouse.upkeep.compaction import plan_compaction, rewrite_files
from sinks.lakehouse.upkeep.expiry import Expired, expire_snapshots, plan_expiry

if TYPE_CHECKING:
    from pyiceberg.table import Table

NEVER = datetime(2100, 1, 1, tzinfo=UTC)
Open = Callable[[], "Table"]
Store = Callable[..., None]


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "PAUSE_SECONDS", 0.0)


def compact(table: Table) -> None:
    for one in plan_compaction(table, target_bytes=1_000_000, closed_before=NEVER):
        assert not rewrite_files(table, one, target_bytes=1_000_000).is_refused


def count(table: Table, suffix: str) -> int:
    return sum(path.endswith(suffix) for path in files_under(table))


def test_after_a_compaction_the_small_files_go_when_nobody_can_see_them(
    open_table: Open, store: Store
) -> None:
    for _ in range(3):
        store({})
    compact(open_table())
    rows = rows_of(open_table())
    assert count(open_table(), ".parquet") == 4

    planned = plan_expiry(open_table(), keep=1, keep_hours=0)
    done = expire_snapshots(open_table(), keep=1, keep_hours=0)

    # The compaction, and behind it the newest snapshot that says how far the sink has got. That
    # one shows the three small files, so they stay with it.
    assert planned == done == Expired(snapshots=2, data_files=0, metadata_files=2)
    store({})
    assert expire_snapshots(open_table(), keep=1, keep_hours=0).data_files == 3
    assert count(open_table(), ".parquet") == 2
    assert rows_of(open_table())[:3] == rows
    assert len(rows_of(open_table())) == 4


def test_the_snapshots_that_stay_can_all_be_read(open_table: Open, store: Store) -> None:
    for _ in range(4):
        store({})
        compact(open_table())

    expire_snapshots(open_table(), keep=3, keep_hours=0)

    table = open_table()
    kept = table.snapshots()
    # Sink, compaction, sink, compaction: the third newest is a compaction's, so one more stays.
    assert len(kept) == 4
    counts = [table.scan(snapshot_id=one.snapshot_id).to_arrow().num_rows for one in kept]
    assert counts == [3, 3, 4, 4]


def test_the_position_is_found_in_every_snapshot_that_stays(open_table: Open, store: Store) -> None:
    for _ in range(3):
        store({})
    compact(open_table())
    expire_snapshots(open_table(), keep=1, keep_hours=0)
    table = open_table()
    ids = [one.snapshot_id for one in table.snapshots()]

    for each in ids:
        with open_table().manage_snapshots() as snapshots:
            snapshots.set_current_snapshot(each)
        position = restore(open_table())
        assert position is not None
        assert position.next_offsets == {0: 3}


def test_the_position_is_found_behind_the_state_of_a_full_hour_that_is_a_compaction(
    open_table: Open, store: Store
) -> None:
    hour = datetime(2026, 3, 1, 12, tzinfo=UTC)
    for _ in range(3):
        store({})
    compact(open_table())
    *sunk, compacted = open_table().snapshots()
    for minute in (1, 2):
        store({})
        head = open_table().current_snapshot()
        assert head is not None
        set_times(open_table(), {head.snapshot_id: hour + timedelta(minutes=minute)})
    before = {one.snapshot_id: hour - timedelta(minutes=9) for one in (*sunk, compacted)}
    set_times(open_table(), before)

    now = hour + timedelta(minutes=10)
    expire_snapshots(open_table(), keep=1, keep_hours=1, now=now)

    table = open_table()
    assert tagged_hours(table) == {hour: compacted.snapshot_id}
    # The newest, the state of the hour, and what says how far the sink had got by then.
    assert len(table.snapshots()) == 3
    with table.manage_snapshots() as snapshots:
        snapshots.set_current_snapshot(compacted.snapshot_id)
    position = restore(open_table())
    assert position is not None
    assert position.next_offsets == {0: 3}


def test_tags_of_full_hours_are_of_the_kind_that_other_engines_let_go_in_time(
    open_table: Open, store: Store
) -> None:
    store({})
    expire_snapshots(open_table(), keep=1, keep_hours=2, now=datetime.now(UTC) + timedelta(hours=2))

    refs = open_table().metadata.refs
    hours = [ref for name, ref in refs.items() if name.startswith("fraudlake-hour-")]
    assert [(ref.snapshot_ref_type, ref.max_ref_age_ms) for ref in hours] == [
        ("tag", 3 * 3_600_000)
    ] * 2


def test_an_expiry_with_nothing_to_do_commits_nothing(open_table: Open, store: Store) -> None:
    store({})
    later = datetime.now(UTC) + timedelta(hours=2)
    expire_snapshots(open_table(), keep=1, keep_hours=2, now=later)
    before = open_table().metadata_location

    expire_snapshots(open_table(), keep=1, keep_hours=2, now=later)

    assert open_table().metadata_location == before


def test_what_others_have_tagged_or_branched_stays_with_its_files(
    open_table: Open, store: Store
) -> None:
    store({})
    first = open_table().current_snapshot()
    assert first is not None
    store({})
    second = open_table().current_snapshot()
    assert second is not None
    with open_table().manage_snapshots() as snapshots:
        snapshots.create_tag(first.snapshot_id, "audit")
        snapshots.create_branch(second.snapshot_id, "trial")
    store({})
    compact(open_table())
    for _ in range(3):
        store({})

    expire_snapshots(open_table(), keep=1, keep_hours=0)

    table = open_table()
    assert table.scan(snapshot_id=first.snapshot_id).to_arrow().num_rows == 1
    assert table.scan(snapshot_id=second.snapshot_id).to_arrow().num_rows == 2
    assert len(table.snapshots()) == 3


def test_with_fewer_snapshots_than_are_kept_nothing_happens(open_table: Open, store: Store) -> None:
    store({}), store({})
    before = files_under(open_table())

    assert expire_snapshots(open_table(), keep=2, keep_hours=0) == Expired(
        snapshots=0, data_files=0, metadata_files=0
    )
    assert files_under(open_table()) == before


def test_an_expiry_that_meets_a_commit_of_the_sink_looks_again(
    open_table: Open, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        store({})
    commit = ExpireSnapshots.commit
    once = [True]

    def meet(self: ExpireSnapshots) -> None:
        if once:
            once.clear()
            store({})
            raise CommitFailedException("somebody was faster")
        commit(self)

    monkeypatch.setattr(ExpireSnapshots, "commit", meet)

    assert expire_snapshots(open_table(), keep=1, keep_hours=0).snapshots == 3
    assert len(rows_of(open_table())) == 4


def test_a_catalog_that_takes_no_expiry_ends_in_a_transient_error_and_deletes_nothing(
    open_table: Open, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store({}), store({})
    before = files_under(open_table())

    def refuse(_: ExpireSnapshots) -> None:
        raise CommitFailedException("no")

    monkeypatch.setattr(ExpireSnapshots, "commit", refuse)
    with pytest.raises(TransientError, match="took no expiry in 20 attempts"):
        expire_snapshots(open_table(), keep=1, keep_hours=0)

    assert files_under(open_table()) == before


def test_a_dry_run_says_what_would_go_and_keeps_it(open_table: Open, store: Store) -> None:
    for _ in range(3):
        store({})
    before = files_under(open_table())

    planned = plan_expiry(open_table(), keep=1, keep_hours=0)

    assert files_under(open_table()) == before
    assert planned == expire_snapshots(open_table(), keep=1, keep_hours=0)
    assert planned.snapshots == 2
