"""The keeper starts a lost job again, leaves others alone, and does not hammer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fraudlake import keeper
from fraudlake.deployment import Deployment
from pipelines.errors import JobError, TransientError
from pipelines.flink import Job
from pipelines.job_memory import Remembered, remember
from pipelines.settings import Settings, StackSettings

if TYPE_CHECKING:
    from pathlib import Path

JOB = "a" * 32
DEPLOYED = Deployment(job_id="b" * 32, state="RUNNING", ruleset="r@1", url="", savepoint="file:/c")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(stack=StackSettings(home=tmp_path))


@pytest.fixture
def states(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The states of the jobs that the cluster lists."""
    listed: dict[str, str] = {}

    class Rest:
        def __init__(self, url: str) -> None: ...

        def jobs(self, name: str) -> list[Job]:
            return [
                Job(job_id=key, name=name, state=state, started_ms=0, duration_ms=0)
                for key, state in listed.items()
            ]

    monkeypatch.setattr(keeper, "FlinkRest", Rest)
    monkeypatch.setattr(keeper, "restore_held", lambda settings: DEPLOYED)
    return listed


@pytest.mark.parametrize(
    ("listed", "is_restored"),
    [
        ({}, True),  # the JobManager came back empty
        ({JOB: "FAILED"}, True),
        ({JOB: "RUNNING"}, False),
        ({JOB: "RESTARTING"}, False),
        ({JOB: "FAILING"}, False),
        ({JOB: "RECONCILING"}, False),
        ({JOB: "CANCELLING"}, False),  # somebody is ending it
        ({JOB: "FAILED", "c": "CREATED"}, False),  # another one was submitted meanwhile
        ({JOB: "CANCELED"}, False),
        ({JOB: "FINISHED"}, False),
        ({"c": "CANCELED"}, True),  # not the last deployment
    ],
)
def test_only_a_lost_job_is_restored(
    settings: Settings, states: dict[str, str], listed: dict[str, str], is_restored: bool
) -> None:
    states.update(listed)
    assert keeper.restore_if_lost(settings) is None  # nothing was ever deployed
    remember(settings, Remembered(job_id=JOB, ruleset="r@1", has_run=True))
    assert (keeper.restore_if_lost(settings) == DEPLOYED) is is_restored
    remember(settings, Remembered(job_id=JOB, ruleset="r@1", has_run=True, is_stopped=True))
    assert keeper.restore_if_lost(settings) is None


def test_attempts_wait_longer_and_longer_until_the_job_stays(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[Deployment | Exception | None] = [
        None,
        keeper.ClusterAway("away"),
        TransientError("no Kafka broker answers"),
        JobError("no slots"),
        DEPLOYED,
        None,
        None,
    ]
    slept: list[float] = []
    said: list[str] = []
    now = [0.0]

    class Over(BaseException):
        """The end of the test."""

    def sleep(seconds: float) -> None:
        if len(slept) == len(steps):
            raise Over
        slept.append(seconds)
        # The job stays up from its last start to the sixth look, and then for ten minutes more.
        now[0] += seconds if len(slept) < len(steps) else 600

    def step(settings: Settings) -> Deployment | None:
        found = steps[len(slept) - 1]
        if isinstance(found, Exception):
            raise found
        return found

    monkeypatch.setattr(keeper, "restore_if_lost", step)
    with pytest.raises(Over):
        keeper.keep_job(settings, said.append, sleep=sleep, clock=lambda: now[0])
    assert slept == [3, 3, 3, 6, 12, 24, 24]
    assert said == [
        "the job is lost and could not be started again: no Kafka broker answers",
        "the job is lost and could not be started again: no slots",
        f"the job was lost; started again as {DEPLOYED.job_id} from file:/c",
    ]
