from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from test_reconciling import hour

from orchestration.defs.first_look import ATTEMPTS, TAG, first_look
from orchestration.defs.reconciliation import HOURS, hours
from orchestration.hours_due import newest_closed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sinks.reconciliation.hour import HourEvidence

TABLE = dg.AssetSpec(["iceberg", "decisions"], group_name="lakehouse")
DRIFT = dg.AssetCheckKey(TABLE.key, "drift")


@dg.asset(key=["kafka", "transactions"], group_name="ingest")
def topic() -> None: ...


@dg.asset(key=["flink", "job"], group_name="stream", deps=[topic])
def job() -> None: ...


@dg.asset(
    key=["lake", "parity"],
    group_name="lakehouse",
    partitions_def=dg.DailyPartitionsDefinition(start_date="2026-01-01"),
)
def parity() -> None: ...


@dg.asset(key=["learning", "backtest"], group_name="learning")
def backtest() -> None: ...


@dg.asset_check(asset=job, name="runs")
def job_runs() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=True)


@dg.asset_check(asset=TABLE.key, name="drift")
def drift() -> dg.AssetCheckResult:
    return dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN)


class FakeAudit:
    def gather_hour(self, begin: datetime, *, log: Callable[[str], object]) -> HourEvidence:
        return hour(begin=begin)


LOCATION = dg.Definitions(
    assets=[topic, job, parity, backtest, hours, TABLE],
    asset_checks=[job_runs, drift],
    sensors=[first_look],
    resources={"audit": FakeAudit()},
)
EVERYTHING = ["flink/job", "kafka/transactions"]


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as one:
        yield one


def tick(
    instance: dg.DagsterInstance, cursor: str | None = None
) -> dg.SensorResult | dg.SkipReason:
    context = dg.build_sensor_context(
        instance=instance, cursor=cursor, repository_def=LOCATION.get_repository_def()
    )
    result = first_look(context)
    assert isinstance(result, dg.SensorResult | dg.SkipReason)
    return result


def requests_of(result: dg.SensorResult | dg.SkipReason) -> list[dg.RunRequest]:
    assert isinstance(result, dg.SensorResult), result
    return list(result.run_requests or ())


def requested(result: dg.SensorResult | dg.SkipReason) -> list[str]:
    (request,) = requests_of(result)
    return [key.to_user_string() for key in request.asset_selection or ()]


def launch(instance: dg.DagsterInstance, request: dg.RunRequest) -> None:
    """As the daemon would."""
    if request.partition_key is not None:
        instance.add_dynamic_partitions(str(HOURS.name), [request.partition_key])
    run = LOCATION.resolve_implicit_global_asset_job_def().get_subset(
        asset_selection=set(request.asset_selection or ()),
        asset_check_selection=None
        if request.asset_check_keys is None
        else set(request.asset_check_keys),
    )
    assert run.execute_in_process(instance=instance, partition_key=request.partition_key).success


def test_new_instance_gets_one_run_of_everything_but_partitions_and_what_others_write(
    instance: dg.DagsterInstance,
) -> None:
    assert requested(tick(instance)) == EVERYTHING


def test_then_checks_that_no_run_judged_and_the_newest_closed_hour(
    instance: dg.DagsterInstance,
) -> None:
    """Checks of tables that others write stayed grey for six hours, and reconciliation for one."""
    (first,) = requests_of(tick(instance))
    launch(instance, first)

    second = tick(instance)
    checks, newest = requests_of(second)
    assert isinstance(second, dg.SensorResult)
    [offered] = second.dynamic_partitions_requests or ()
    assert offered.partition_keys == [newest.partition_key]
    assert (checks.asset_selection, checks.asset_check_keys) == ([], [DRIFT])
    assert newest.asset_selection == [hours.key]
    begin = datetime.strptime(str(newest.partition_key), "%Y-%m-%d-%H:%M").replace(tzinfo=UTC)
    assert timedelta(minutes=70) <= datetime.now(UTC) - begin < timedelta(minutes=131)

    for request in (checks, newest):
        launch(instance, request)
    # A yellow one is judged, too.
    after = tick(instance)
    assert isinstance(after, dg.SkipReason)
    assert after.skip_message == "everything has been put in place before"


@pytest.mark.parametrize(
    ("now", "begin"), [("12:09", "10:00"), ("12:10", "11:00"), ("00:05", "22:00")]
)
def test_newest_closed_hour_is_the_last_one_whose_outputs_have_had_ten_minutes_to_come(
    now: str, begin: str
) -> None:
    moment = datetime.fromisoformat(f"2026-03-10T{now}:00+00:00")
    assert f"{newest_closed(moment):%H:%M}" == begin


def test_what_was_put_in_place_is_never_asked_for_again(instance: dg.DagsterInstance) -> None:
    dg.materialize([topic], instance=instance)
    assert requested(tick(instance)) == ["flink/job"]


def test_it_waits_for_a_run_that_is_under_way(instance: dg.DagsterInstance) -> None:
    instance.add_run(dg.DagsterRun(job_name="by hand", status=dg.DagsterRunStatus.STARTED))

    waiting = tick(instance)

    assert isinstance(waiting, dg.SkipReason)
    assert "another run is under way" in (waiting.skip_message or "")


def test_assets_that_do_not_come_to_be_are_tried_three_times_and_then_named(
    instance: dg.DagsterInstance,
) -> None:
    cursor: str | None = None
    tries = []
    for _ in range(ATTEMPTS):
        result = tick(instance, cursor)
        assert requested(result) == EVERYTHING
        assert isinstance(result, dg.SensorResult)
        cursor = result.cursor
        tries += [request.tags[TAG] for request in result.run_requests or ()]
    assert tries == ["1", "2", "3"]

    # What does not need them is judged all the same.
    judged = tick(instance, cursor)
    checks, newest = requests_of(judged)
    for request in (checks, newest):
        launch(instance, request)
    assert isinstance(judged, dg.SensorResult)
    assert checks.asset_check_keys == [dg.AssetCheckKey(job.key, "runs"), DRIFT]
    given_up = tick(instance, judged.cursor)
    assert isinstance(given_up, dg.SkipReason)
    assert "flink/job, kafka/transactions: not in place after 3 runs" in str(given_up.skip_message)
    # One of them is there now, so the other one is worth new tries.
    dg.materialize([topic], instance=instance)
    assert requested(tick(instance, judged.cursor)) == ["flink/job"]


def test_check_that_a_later_run_did_not_come_to_is_not_asked_for_again(
    instance: dg.DagsterInstance,
) -> None:
    @dg.asset(key=["kafka", "transactions"])
    def away() -> None:
        msg = "the broker is away"
        raise ValueError(msg)

    dg.materialize([topic, job, job_runs], instance=instance)
    broken = dg.materialize([away, job, job_runs], instance=instance, raise_on_error=False)
    assert not broken.success

    checks, _ = requests_of(tick(instance))
    assert checks.asset_check_keys == [DRIFT]
