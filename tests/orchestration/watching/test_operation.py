"""A person starts or stops the job from the graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from glances import glance, job, notes, stream

from orchestration.defs.operation import JobAction, StreamOperation, operate_stream
from orchestration.keys import JOB
from pipelines.errors import TerminalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from orchestration.watching.glance import Glance

STARTED = {"job_id": "b2", "ruleset": "r@1", "savepoint": "file:/s", "url": "http://flink/b2"}


class FakeStream:
    """Answers as the commands would, or fails."""

    def __init__(self, answer: Mapping[str, Any] | TerminalError) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def start(self, *, log: object) -> Mapping[str, Any]:
        return self._answer("start")

    def stop(self, *, log: object) -> Mapping[str, Any]:
        return self._answer("stop")

    def _answer(self, what: str) -> Mapping[str, Any]:
        self.asked.append(what)
        if isinstance(self.answer, TerminalError):
            raise self.answer
        return self.answer


class StoppedLookout:
    """Sees a job that a person has stopped."""

    def look(self, now: datetime) -> Glance:
        return glance(notes=notes(is_stopped=True), stream=stream(job("FINISHED")))


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as one:
        yield one


def operate(
    instance: dg.DagsterInstance, asked: FakeStream, *, action: JobAction
) -> dg.ExecuteInProcessResult:
    return operate_stream.execute_in_process(
        instance=instance,
        resources={"stream": asked, "lookout": StoppedLookout()},
        run_config=dg.RunConfig(ops={"operate_job": StreamOperation(action=action)}),
        raise_on_error=False,
    )


@pytest.mark.parametrize(
    ("action", "answer", "asked", "observed"),
    [
        (
            JobAction.STOP,
            {"savepoint": "file:/s"},
            "stop",
            {"done": "stopped", "state in": "file:/s"},
        ),
        (
            JobAction.START,
            STARTED,
            "start",
            {
                "done": "started",
                "job id": "b2",
                "rule set": "r@1",
                "started from": "file:/s",
                "page": "http://flink/b2",
            },
        ),
        (JobAction.START, {"state": "already runs"}, "start", {"done": "ran already"}),
    ],
)
def test_job_is_operated_and_its_page_tells_of_it(
    instance: dg.DagsterInstance,
    action: JobAction,
    answer: Mapping[str, Any],
    asked: str,
    observed: dict[str, Any],
) -> None:
    fake = FakeStream(answer)

    assert operate(instance, fake, action=action).success

    assert fake.asked == [asked]
    (record,) = instance.fetch_observations(JOB, limit=10).records
    assert record.asset_observation is not None
    assert {
        name: value.value for name, value in record.asset_observation.metadata.items()
    } == observed
    # Nothing was deployed: what was behind stays marked as behind.
    assert instance.fetch_materializations(JOB, limit=1).records == []


def test_checks_say_at_once_that_a_person_stopped_it(instance: dg.DagsterInstance) -> None:
    operate(instance, FakeStream({"savepoint": "file:/s"}), action=JobAction.STOP)

    key = dg.AssetCheckKey(JOB, "running")
    (kept,) = instance.event_log_storage.get_asset_check_execution_history(key, limit=5)
    assert kept.evaluation is not None
    assert kept.evaluation.severity is dg.AssetCheckSeverity.WARN
    assert "stopped by `fraudlake job stop`" in str(kept.evaluation.description)


def test_stop_that_is_refused_fails_with_the_sentence_and_is_not_tried_again(
    instance: dg.DagsterInstance,
) -> None:
    fake = FakeStream(TerminalError("no job runs"))

    result = operate(instance, fake, action=JobAction.STOP)

    assert not result.success
    assert fake.asked == ["stop"]
