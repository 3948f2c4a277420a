"""The sensor itself, with looks handed in: what reaches Dagster."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest
from glances import glance, job, stream

from orchestration.defs.watch import look_now, stream_watch
from orchestration.keys import JOB
from pipelines.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from orchestration.watching.glance import Glance


class FakeLookout:
    """Sees what it was told to."""

    def __init__(self, seen: Glance | SettingsError) -> None:
        self.seen = seen

    def look(self, now: datetime) -> Glance:
        if isinstance(self.seen, SettingsError):
            raise self.seen
        return self.seen


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as one:
        yield one


def tick(
    instance: dg.DagsterInstance, seen: Glance | SettingsError, cursor: str | None = None
) -> dg.SensorResult | dg.SkipReason:
    context = dg.build_sensor_context(
        instance=instance, cursor=cursor, resources={"lookout": FakeLookout(seen)}
    )
    found = stream_watch(context)
    assert isinstance(found, dg.SensorResult | dg.SkipReason)
    return found


def test_tick_of_a_healthy_stream_is_a_line_of_a_log(instance: dg.DagsterInstance) -> None:
    found = tick(instance, glance())
    assert isinstance(found, dg.SensorResult)
    assert found.run_requests == []
    assert found.skip_reason is not None
    assert "job RUNNING" in str(found.skip_reason.skip_message)


def test_ended_job_is_asked_to_be_restored_once(instance: dg.DagsterInstance) -> None:
    ended = glance(stream=stream(job("CANCELED")))
    first = tick(instance, ended)
    assert isinstance(first, dg.SensorResult)
    (request,) = first.run_requests or []
    assert request.run_key == "a1:1600000"
    assert stream_watch.job_name == "repair_stream"
    assert request.tags["dagster/priority"] == "10"  # a backfill may fill the queue
    second = tick(instance, ended, first.cursor)
    assert isinstance(second, dg.SensorResult)
    assert second.run_requests == []


def test_commit_is_told_once_though_the_daemon_died_before_it_kept_the_cursor(
    instance: dg.DagsterInstance,
) -> None:
    for _ in range(2):
        found = tick(instance, glance(), cursor=None)
        assert isinstance(found, dg.SensorResult)
        for event in found.asset_events:
            instance.report_runless_asset_event(event)

    told = instance.fetch_materializations(dg.AssetKey(["iceberg", "decisions"]), limit=5)
    assert len(told.records) == 1


def test_wrong_setting_is_said_in_the_tick(instance: dg.DagsterInstance) -> None:
    found = tick(instance, SettingsError("FRAUDLAKE_KAFKA_PARTITIONS='many': must be a number"))
    assert isinstance(found, dg.SkipReason)
    assert "must be a number" in str(found.skip_message)


def test_checks_can_be_run_by_hand_and_say_the_same(instance: dg.DagsterInstance) -> None:
    result = dg.materialize(
        [dg.AssetSpec(JOB), look_now],  # type: ignore[list-item]
        selection=dg.AssetSelection.checks(
            dg.AssetCheckKey(JOB, "running"), dg.AssetCheckKey(JOB, "lag_in_budget")
        ),
        instance=instance,
        resources={"lookout": FakeLookout(glance())},
    )
    found = {one.check_name: one.description for one in result.get_asset_check_evaluations()}
    assert found == {
        "running": "job a1 RUNNING for 10 min",
        "lag_in_budget": "12 transactions wait to be decided",
    }
