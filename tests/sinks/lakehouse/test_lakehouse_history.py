"""The past: what a table was at a moment, or that it is not known any more; no guess."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from decision_records import at, decision_blocks, decisions_table
from snapshot_times import set_times

from pipelines.errors import SinkError
from sinks.lakehouse.history import find_state, tagged_hours
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.position import TAG
from sinks.lakehouse.query.opening import open_lake
from sinks.lakehouse.schema import create_table
from sinks.lakehouse.tables import LABELS
from sinks.lakehouse.upkeep.expiry import expire_snapshots

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from pipelines.settings import Settings

Commit = Callable[..., list[int]]
COUNT = "select count(*) from decisions"


def on(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-01T{text}").replace(tzinfo=UTC)


@pytest.fixture
def table(catalog: Catalog) -> Table:
    return decisions_table(catalog)


@pytest.fixture
def commit(catalog: Catalog, table: Table) -> Commit:
    """One row for each of the moments, committed then; the ids of the snapshots."""

    def build(*moments: str) -> list[int]:
        ids = []
        for moment in moments:
            stored = len(catalog.load_table(table.name()).snapshots())
            ledger = Ledger(catalog.load_table(table.name()))
            ledger.commit(decision_blocks({}, offset=stored), at(stored + 1))
            head = ledger.table.current_snapshot()
            assert head is not None
            set_times(ledger.table, {head.snapshot_id: on(moment)})
            ids.append(head.snapshot_id)
        table.refresh()
        return ids

    return build


def ask(settings: Settings, moment: str | int, question: str = COUNT) -> Any:
    as_of = on(moment) if isinstance(moment, str) else moment
    with open_lake(settings, as_of=as_of) as lake:
        ((answer,),) = lake.ask(question, limit=1).rows
    return answer


def test_each_moment_shows_what_had_been_committed_by_then(
    lake_settings: Settings, commit: Commit
) -> None:
    commit("10:00:00", "11:00:00", "12:00:00")

    moments = ("09:59:59.999", "10:00", "10:59:59.999", "11:00", "11:30", "12:00", "23:59")
    assert [ask(lake_settings, moment) for moment in moments] == [0, 1, 1, 2, 2, 3, 3]


def test_an_old_snapshot_that_a_tag_keeps_does_not_answer_for_what_came_after_it(
    lake_settings: Settings, commit: Commit, table: Table
) -> None:
    """Six commits, the first tagged, expiry to one: every moment answered with the first."""
    first, *_ = commit(*(f"10:0{minute}:00" for minute in range(6)))
    with table.manage_snapshots() as snapshots:
        snapshots.create_tag(first, "quarter-end")
    expire_snapshots(table, keep=1, keep_hours=0)

    assert ask(lake_settings, "09:00") == 0
    assert ask(lake_settings, "10:00") == 1
    for moment in ("10:00:00.001", "10:03", "10:04:59"):
        with pytest.raises(
            SinkError,
            match=r"decisions is not kept as it was at 2026-03-01T10:0.*The nearest times that "
            r"are: 2026-03-01T10:00:00\.000Z and 2026-03-01T10:05:00\.000Z",
        ):
            ask(lake_settings, moment)
    assert ask(lake_settings, "10:05") == 6
    assert ask(lake_settings, first) == 1


def test_before_the_oldest_snapshot_that_is_kept_nothing_is_known(
    lake_settings: Settings, commit: Commit, table: Table
) -> None:
    """An empty table was shown."""
    commit("10:00:00", "10:01:00", "10:02:00")
    expire_snapshots(table, keep=1, keep_hours=0)

    with pytest.raises(SinkError, match=r"nearest times that are: 2026-03-01T10:02:00\.000Z \("):
        ask(lake_settings, "09:00")


def test_the_state_at_each_full_hour_is_kept_and_what_was_between_is_not_guessed(
    lake_settings: Settings, commit: Commit, table: Table
) -> None:
    commit("10:10:00", "10:50:00", "11:20:00", "11:40:00", "13:05:00", "13:06:00", "13:07:00")

    done = expire_snapshots(table, keep=2, keep_hours=3, now=on("13:30"))

    # 11:00 shows two rows, 12:00 and 13:00 four; five to seven are the newest two and one before.
    assert done.snapshots == 3
    assert {hour.hour for hour in tagged_hours(table.refresh())} == {11, 12, 13}
    known = ("10:50", "10:59", "11:00", "11:40", "12:00", "12:30", "13:00", "13:06", "13:07")
    assert [ask(lake_settings, moment) for moment in known] == [2, 2, 2, 4, 4, 4, 4, 6, 7]
    with pytest.raises(SinkError, match=r"that are: 2026-03-01T11:00:00\.000Z and .*T11:40:00\.0"):
        ask(lake_settings, "11:00:00.001")
    with pytest.raises(SinkError, match=r"that are: 2026-03-01T13:00:00\.000Z and .*T13:06:00\.0"):
        ask(lake_settings, "13:05")
    with pytest.raises(SinkError, match=r"that are: 2026-03-01T10:50:00\.000Z \("):
        ask(lake_settings, "10:10")


def test_hours_that_are_over_go_with_a_later_expiry_and_those_that_stay_are_still_known(
    lake_settings: Settings, commit: Commit, table: Table
) -> None:
    commit("10:10:00", "10:50:00", "11:20:00", "11:40:00")
    expire_snapshots(table, keep=1, keep_hours=2, now=on("12:10"))
    commit("12:20:00", "12:40:00")
    expire_snapshots(table, keep=1, keep_hours=2, now=on("13:10"))

    assert {hour.hour for hour in tagged_hours(table.refresh())} == {12, 13}
    assert [ask(lake_settings, moment) for moment in ("11:40", "12:00", "13:00")] == [4, 4, 6]
    assert len(table.snapshots()) == 2
    expire_snapshots(table, keep=1, keep_hours=0, now=on("13:10"))
    assert tagged_hours(table.refresh()) == {}
    assert len(table.snapshots()) == 1


def test_full_hours_are_known_where_the_catalog_cuts_the_log_off_at_a_gap(
    lake_settings: Settings, commit: Commit, table: Table
) -> None:
    """As Iceberg's own library does it, and so catalogs behind REST."""
    commit("10:10:00", "10:50:00", "11:20:00", "11:40:00", "12:10:00")
    expire_snapshots(table, keep=1, keep_hours=2, now=on("12:30"))
    set_times(table, {}, cut_log=True)

    assert [ask(lake_settings, moment) for moment in ("11:00", "12:00", "12:10")] == [2, 4, 5]
    for moment in ("10:50", "11:30"):
        with pytest.raises(SinkError, match=r"that are: .*T1[12]:00:00\.000Z"):
            ask(lake_settings, moment)


def test_a_rollback_is_a_moment_like_any_other(
    lake_settings: Settings, commit: Commit, table: Table
) -> None:
    first, second = commit("10:00:00", "11:00:00")
    with table.manage_snapshots() as snapshots:
        snapshots.set_current_snapshot(first)
    set_times(table, {}, last_log=on("12:00"))
    commit("13:00:00")

    moments = ("10:30", "11:30", "12:30", "13:30")
    assert [ask(lake_settings, moment) for moment in moments] == [1, 2, 1, 2]
    assert find_state(table.refresh(), on("11:30")) == table.snapshot_by_id(second)


def test_what_a_rollback_hides_is_not_answered_by_what_came_before_it(
    lake_settings: Settings, commit: Commit, table: Table
) -> None:
    first, _, third = commit("10:00:00", "11:00:00", "11:30:00")
    with table.manage_snapshots() as snapshots:
        snapshots.set_current_snapshot(first).remove_tag(TAG)
    set_times(table, {}, last_log=on("12:00"))
    table.maintenance.expire_snapshots().by_id(third).commit()

    assert ask(lake_settings, "11:00") == 2
    with pytest.raises(SinkError, match="decisions is not kept as it was"):
        ask(lake_settings, "11:45")
    assert ask(lake_settings, "12:30") == 1


def test_a_table_that_is_not_kept_fails_the_questions_that_need_it_and_no_others(
    lake_settings: Settings, catalog: Catalog, commit: Commit, table: Table
) -> None:
    commit("10:00:00", "10:01:00", "10:02:00")
    expire_snapshots(table, keep=1, keep_hours=0)

    create_table(catalog, lake_settings.lakehouse, LABELS)
    assert ask(lake_settings, "10:01", "select count(*) from labels") == 0
    for needs in ("rule_fires", "decisions_labelled", "lake.decisions where band = 'x'"):
        with pytest.raises(SinkError, match="decisions is not kept as it was at 2026-03-01T10:01"):
            ask(lake_settings, "10:01", f"select count(*) from {needs}")


def test_a_moment_is_read_to_the_millisecond(table: Table, commit: Commit) -> None:
    """1772359200.123 s is no number that a double holds."""
    commit("10:00:00.123")

    assert find_state(table, on("10:00:00.122")) is None
    assert find_state(table, on("10:00:00.123")) is not None
    assert find_state(table, on("10:00:00.123") + timedelta(microseconds=999)) is not None
