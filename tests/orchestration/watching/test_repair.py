"""A repair brings back what was deployed, and leaves the mark that something newer waits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from glances import glance, job, stream
from staleness import why_behind

from orchestration.defs.repair import repair_stream
from orchestration.defs.stream import fraud_detection
from orchestration.failures import PATIENCE
from orchestration.keys import JOB
from pipelines.errors import TerminalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from orchestration.watching.glance import Glance

RESTORED = {"job_id": "b2", "ruleset": "r@1", "savepoint": "file:/c", "url": "http://flink"}
DEPLOYED = {"outcome": "started", "job_id": "b2", "ruleset": "r@1", "build": "00", "switch": None}


class FakeStream:
    """Answers as the commands would, or fails."""

    def __init__(self, answer: Mapping[str, Any], failure: TerminalError | None = None) -> None:
        self.answer = answer
        self.failure = failure
        self.asked: list[str] = []

    def restore(self, *, log: object) -> Mapping[str, Any]:
        self.asked.append("restore")
        if self.failure is not None:
            raise self.failure
        return self.answer

    def deploy(self, *, log: object) -> Mapping[str, Any]:
        self.asked.append("deploy")
        return {**DEPLOYED, "savepoint": None}

    def page_of(self, job_id: str) -> str:
        return f"http://flink/#/job/{job_id}"

    def stages(self) -> tuple[()]:
        return ()


class FollowingLookout:
    """Sees the job that runs: none before it was restored."""

    def __init__(self, stream: FakeStream) -> None:
        self.stream = stream

    def look(self, now: datetime) -> Glance:
        state = "RUNNING" if "restore" in self.stream.asked else "CANCELED"
        return glance(stream=stream(job(state, job_id="b2")))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as one:
        yield one


def repair(instance: dg.DagsterInstance, asked: FakeStream) -> dg.ExecuteInProcessResult:
    return repair_stream.execute_in_process(
        instance=instance,
        resources={"stream": asked, "lookout": FollowingLookout(asked)},
        raise_on_error=False,
    )


def observations(instance: dg.DagsterInstance) -> list[dict[str, Any]]:
    """What was observed of the job, the newest first."""
    found = instance.fetch_observations(JOB, limit=10).records
    seen = [record.asset_observation for record in found]
    return [{k: v.value for k, v in one.metadata.items()} for one in seen if one is not None]


def test_repair_says_from_where_it_brought_back_what_was_deployed(
    instance: dg.DagsterInstance,
) -> None:
    assert repair(instance, FakeStream(RESTORED)).success
    assert repair(instance, FakeStream({"state": "already runs"})).success

    assert observations(instance) == [
        {"repair": "ran already"},
        {
            "repair": "restored",
            "job id": "b2",
            "rule set": "r@1",
            "started from": "file:/c",
            "page": "http://flink",
        },
    ]


def test_repair_run_judges_the_job_that_it_has_started(instance: dg.DagsterInstance) -> None:
    repair(instance, FakeStream(RESTORED))

    names = ("running", "checkpoint_age", "lag_in_budget", "decides_by_active_rules", "restarts")
    for name in names:
        key = dg.AssetCheckKey(JOB, name)
        (kept,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=5)
        assert kept.status.value == "SUCCEEDED"


def materialize(instance: dg.DagsterInstance, asset: dg.AssetsDefinition) -> None:
    result = dg.materialize(
        [asset], instance=instance, resources={"stream": FakeStream(RESTORED)}, raise_on_error=False
    )
    assert result.success


def test_repaired_job_is_as_far_behind_as_before(instance: dg.DagsterInstance) -> None:
    """A repair was a materialization of the asset: the old job was marked as up to date."""
    old = fraud_detection.map_asset_specs(lambda spec: spec.replace_attributes(code_version="old"))
    materialize(instance, old)
    assert why_behind(instance) == ["has a new code version"]

    assert repair(instance, FakeStream(RESTORED)).success
    assert why_behind(instance) == ["has a new code version"]

    materialize(instance, fraud_detection)
    assert why_behind(instance) == []


def test_repair_that_cannot_help_fails_at_once_with_its_sentence(
    instance: dg.DagsterInstance,
) -> None:
    asked = FakeStream(RESTORED, TerminalError("5 starts were in vain"))
    result = repair(instance, asked)

    [failure] = result.get_step_failure_events()
    assert "5 starts were in vain" in str(failure.event_specific_data)
    assert asked.asked == ["restore"]
    assert observations(instance) == []


def test_repair_is_tried_again_and_waits_for_a_deployment() -> None:
    (node,) = repair_stream.nodes
    assert isinstance(node.definition, dg.OpDefinition)
    assert node.definition.retry_policy is PATIENCE
    assert node.definition.pool == fraud_detection.op.pool == "flink_deploy"
