"""Hours that were missed or were not whole are compared again, and no red one is overwritten."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from test_reconciling import hour, seen

from orchestration.defs.hours_again import TAG, hours_again
from orchestration.defs.reconciliation import HOURS, hours
from orchestration.hours_due import MOST, Compared, begin_of_hours, choose_hours, name_hour
from pipelines.errors import TerminalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dagster._core.definitions.sensor_definition import SensorExecutionData

    from sinks.reconciliation.hour import HourEvidence

NOW = datetime(2026, 3, 10, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def ago(number: int) -> datetime:
    """The hour that began so many hours ago."""
    return NOW - number * HOUR


def test_hour_that_was_missed_is_due_and_none_before_the_first_that_was_compared() -> None:
    whole = {ago(number): Compared(at=NOW, is_whole=True) for number in (6, 4, 3)}
    # One hour ago it has just closed: the schedule has the first turn.
    assert choose_hours(set(whole), whole, now=NOW) == [ago(5), ago(2)]
    assert choose_hours(set(), {}, now=NOW) == []


@pytest.mark.parametrize(
    ("minutes_after", "now_minutes_after", "is_due"),
    [(15, 29, False), (15, 31, True), (60, 119, False), (60, 120, True), (600, 1199, False)],
)
def test_hour_that_was_not_whole_is_due_when_twice_the_time_has_passed(
    minutes_after: int, now_minutes_after: int, is_due: bool
) -> None:
    begin = ago(100)
    end = begin + HOUR
    now = end + timedelta(minutes=now_minutes_after)
    broken = Compared(at=end + timedelta(minutes=minutes_after), is_whole=False)
    later = {begin + number * HOUR for number in range(1, 30)}
    outcomes = {one: Compared(at=now, is_whole=True) for one in later} | {begin: broken}
    assert choose_hours({begin, *later}, outcomes, now=now) == ([begin] if is_due else [])


def test_hour_without_an_outcome_is_due_and_one_that_kafka_lets_go_is_not() -> None:
    found = choose_hours({ago(24 * 30), ago(3)}, {}, now=NOW)
    assert len(found) == MOST
    # Seven days are 168 hours; the one that is being deleted, and the next, are left alone.
    assert found[0] == ago(166)


def test_hours_begin_with_the_month_before() -> None:
    assert begin_of_hours(NOW) == datetime(2026, 2, 1, tzinfo=UTC)
    assert begin_of_hours(datetime(2026, 1, 31, 23, tzinfo=UTC)) == datetime(
        2025, 12, 1, tzinfo=UTC
    )


class FakeAudit:
    """Lacks a row as long as it is told so."""

    def __init__(self) -> None:
        self.is_broken = False

    def gather_hour(self, begin: datetime, *, log: Callable[[str], object]) -> HourEvidence:
        if self.is_broken:
            return hour(begin=begin, documents=Counter({"a": 1}), lake_decisions=seen(100))
        return hour(begin=begin)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.instance_for_test() as one:  # one that can be opened anew: it is asked for its hours
        yield one


def compare(instance: dg.DagsterInstance, begin: datetime, *, is_broken: bool) -> None:
    audit = FakeAudit()
    audit.is_broken = is_broken
    instance.add_dynamic_partitions(str(HOURS.name), [name_hour(begin)])
    dg.materialize(
        [hours],
        instance=instance,
        resources={"audit": audit},
        partition_key=f"{begin:%Y-%m-%d-%H:%M}",
    )


def evaluate(instance: dg.DagsterInstance) -> SensorExecutionData:
    location = dg.Definitions(
        assets=[hours], sensors=[hours_again], resources={"audit": FakeAudit()}
    )
    repository = location.get_repository_def()
    # As the daemon has it: `build_sensor_context` would not let it look for its hours.
    with dg.SensorEvaluationContext(
        instance_ref=instance.get_ref(),
        last_tick_completion_time=None,
        last_run_key=None,
        cursor=None,
        repository_name=repository.name,
        repository_def=repository,
        sensor_name=hours_again.name,
    ) as context:
        return repository.get_sensor_def(hours_again.name).evaluate_tick(context)


def tick(instance: dg.DagsterInstance) -> list[str | None]:
    found = evaluate(instance)
    assert all(request.asset_selection == [hours.key] for request in found.run_requests or ())
    return [request.partition_key for request in found.run_requests or ()]


class AbsentAudit:
    def gather_hour(self, begin: datetime, *, log: Callable[[str], object]) -> HourEvidence:
        msg = "no Kafka broker answers"
        raise TerminalError(msg)


def test_while_an_hour_cannot_be_compared_one_other_is_asked_for_at_a_time(
    instance: dg.DagsterInstance,
) -> None:
    first = full_hour() - 9 * HOUR
    compare(instance, first, is_broken=False)
    *_, second, newest = tick(instance)
    assert newest is not None

    instance.add_dynamic_partitions(str(HOURS.name), [newest])
    failed = dg.materialize(
        [hours],
        instance=instance,
        resources={"audit": AbsentAudit()},
        partition_key=newest,
        tags={TAG: "true"},
        raise_on_error=False,
    )
    assert not failed.success
    # Another one: it may be that hour which fails, however often it is asked for.
    assert tick(instance) == [second]


def full_hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def test_red_hour_stays_red_when_the_next_is_green(instance: dg.DagsterInstance) -> None:
    first = full_hour() - 5 * HOUR
    compare(instance, first, is_broken=True)
    compare(instance, first + HOUR, is_broken=False)

    key = dg.AssetCheckKey(hours.key, "stored_once")
    subsets = instance.event_log_storage.get_asset_check_execution_history(key, limit=5)
    assert [(one.partition, one.status.value) for one in subsets] == [
        (f"{first + HOUR:%Y-%m-%d-%H:%M}", "SUCCEEDED"),
        (f"{first:%Y-%m-%d-%H:%M}", "FAILED"),
    ]


def test_missed_hour_is_asked_for_and_a_red_one_not_at_once(instance: dg.DagsterInstance) -> None:
    assert tick(instance) == []
    first = full_hour() - 5 * HOUR
    compare(instance, first, is_broken=True)
    compare(instance, first + 2 * HOUR, is_broken=False)
    compare(instance, first + 3 * HOUR, is_broken=False)

    assert tick(instance)[:1] == [f"{first + HOUR:%Y-%m-%d-%H:%M}"]


def test_hours_compared_by_an_older_release_are_shown_again_and_those_of_last_year_go(
    instance: dg.DagsterInstance,
) -> None:
    """That release had every hour since the month before as a partition, by the clock."""
    known, old = name_hour(full_hour() - 3 * HOUR), "2025-01-01-00:00"
    compare(instance, full_hour() - 3 * HOUR, is_broken=False)
    instance.delete_dynamic_partition(str(HOURS.name), known)
    instance.add_dynamic_partitions(str(HOURS.name), [old])

    add, delete = evaluate(instance).dynamic_partitions_requests or ()

    assert known in add.partition_keys
    assert delete.partition_keys == [old]
