from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from orchestration.defs.first_look import ATTEMPTS, TAG, first_look

if TYPE_CHECKING:
    from collections.abc import Iterator


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


LOCATION = dg.Definitions(
    assets=[
        topic,
        job,
        parity,
        backtest,
        dg.AssetSpec(["iceberg", "decisions"], group_name="lakehouse"),
    ],
    sensors=[first_look],
)


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


def requested(result: dg.SensorResult | dg.SkipReason) -> list[str]:
    assert isinstance(result, dg.SensorResult), result
    (request,) = result.run_requests or ()
    return [key.to_user_string() for key in request.asset_selection or ()]


def test_new_instance_gets_one_run_of_everything_but_partitions_and_what_others_write(
    instance: dg.DagsterInstance,
) -> None:
    assert requested(tick(instance)) == ["flink/job", "kafka/transactions"]


def test_what_was_put_in_place_is_never_asked_for_again(instance: dg.DagsterInstance) -> None:
    dg.materialize([topic], instance=instance)
    assert requested(tick(instance)) == ["flink/job"]

    dg.materialize([topic, job], instance=instance)
    after = tick(instance)
    assert isinstance(after, dg.SkipReason)
    assert after.skip_message == "everything has been put in place before"


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
        assert requested(result) == ["flink/job", "kafka/transactions"]
        assert isinstance(result, dg.SensorResult)
        cursor = result.cursor
        tries += [request.tags[TAG] for request in result.run_requests or ()]
    assert tries == ["1", "2", "3"]

    given_up = tick(instance, cursor)
    assert isinstance(given_up, dg.SkipReason)
    assert "flink/job, kafka/transactions: not in place after 3 runs" in str(given_up.skip_message)
    # One of them is there now, so the other one is worth new tries.
    dg.materialize([topic], instance=instance)
    assert requested(tick(instance, cursor)) == ["flink/job"]
