"""The keeper starts a lost job again, leaves others alone, and does not hammer."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import pytest

from fraudlake.job import keeper, revival
from fraudlake.job.launch import Deployment
from pipelines.errors import JobError, TransientError
from pipelines.flink import Checkpoints, Job
from pipelines.job_memory import Attempts, Remembered, remember, remembered
from pipelines.settings import Settings, StackSettings

if TYPE_CHECKING:
    from pathlib import Path

JOB = "a" * 32
NOW = 1_800_000_000.0
DEPLOYED = Deployment(job_id="b" * 32, state="RUNNING", ruleset="r@1", url="", savepoint="file:/c")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(stack=StackSettings(home=tmp_path))


MADE = Checkpoints(
    completed=1,
    failed=0,
    restored=1,
    latest_ms=None,
    latest_bytes=None,
    latest_duration_ms=None,
)


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

        def active_job(self, name: str) -> Job | None:
            return next((job for job in self.jobs(name) if job.is_active), None)

    for asked in (keeper, revival):
        monkeypatch.setattr(asked, "FlinkRest", Rest)
    return listed


def start(settings: Settings) -> Deployment:
    return DEPLOYED


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
    deployed = Remembered(job_id=JOB, ruleset="r@1", has_run=True)
    assert keeper.restore_if_lost(settings, start=start) is None  # nothing was ever deployed
    remember(settings, deployed)
    assert (keeper.restore_if_lost(settings, start=start) == DEPLOYED) is is_restored
    remember(settings, replace(deployed, is_stopped=True))
    assert keeper.restore_if_lost(settings, start=start) is None


@pytest.mark.parametrize(("minutes", "is_restored"), [(14.9, False), (15.1, True)])
def test_job_that_was_given_up_is_tried_again_when_it_was_left_alone_for_long_enough(
    settings: Settings, states: dict[str, str], minutes: float, is_restored: bool
) -> None:
    """An outage of a few minutes took the stream down for good."""
    given_up = Remembered(job_id=JOB, ruleset="r@1", revived=(NOW - 60, NOW), given_up="in vain")
    remember(settings, given_up)

    def clock() -> float:
        return NOW + minutes * 60

    restored = keeper.restore_if_lost(settings, start=start, clock=clock)
    assert (restored == DEPLOYED) is is_restored


@pytest.mark.parametrize(
    ("state", "is_restored"),
    [("FINISHED", True), ("CANCELED", True), ("CANCELLING", False), ("RUNNING", False)],
)
def test_job_that_a_deployment_ended_and_did_not_replace_is_lost(
    settings: Settings, states: dict[str, str], state: str, is_restored: bool
) -> None:
    """Killed in the gap, a deployment left the stream down, as if a person had wanted that."""
    states[JOB] = state
    ended = Remembered(job_id=JOB, ruleset="r@1", savepoint="file:/s", is_making_way=True)
    remember(settings, ended)
    assert (keeper.restore_if_lost(settings, start=start) == DEPLOYED) is is_restored
    remember(settings, replace(ended, is_stopped=True))
    assert keeper.restore_if_lost(settings, start=start) is None


@pytest.mark.parametrize(
    ("seconds", "checkpoints", "replaces", "is_restored"),
    [
        (121, 0, "r@0", True),
        (119, 0, "r@0", False),  # the deployment may wait for it still
        (121, 1, "r@0", False),
        (121, 0, None, False),
    ],
)
def test_new_job_that_does_not_come_to_a_checkpoint_is_taken_back_if_its_deployment_was_killed(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    seconds: int,
    checkpoints: int,
    replaces: str | None,
    is_restored: bool,
) -> None:
    class Rest:
        def __init__(self, url: str) -> None: ...

        def jobs(self, name: str) -> list[Job]:
            living = {"started_ms": 0, "duration_ms": seconds * 1000}
            return [Job(job_id=JOB, name=name, state="RESTARTING", **living)]

        def checkpoints(self, job_id: str) -> Checkpoints:
            return replace(MADE, completed=checkpoints)

    monkeypatch.setattr(keeper, "FlinkRest", Rest)
    old = None if replaces is None else Remembered(job_id="c" * 32, ruleset=replaces)
    remember(settings, Remembered(job_id=JOB, ruleset="r@1", replaces=old))
    assert (keeper.restore_if_lost(settings, start=start) == DEPLOYED) is is_restored


def test_keeper_does_not_end_by_its_own_fault_without_a_line(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(settings: Settings) -> None:
        raise KeyError("jobs")

    monkeypatch.setattr(keeper, "restore_if_lost", fail)
    said: list[str] = []
    with pytest.raises(KeyError):
        keeper.keep_job(settings, said.append, sleep=lambda seconds: None)
    assert said == ["the keeper ends by a fault of its own: KeyError: 'jobs'"]


def test_job_that_is_lost_again_and_again_is_given_up_with_one_line(
    settings: Settings, states: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was started again for ever, each minute at the latest."""
    started: list[str] = []

    def restore(settings: Settings, *, attempts: Attempts) -> Deployment:
        found = remembered(settings)
        assert found is not None
        started.append(found.job_id)
        again = replace(DEPLOYED, job_id=f"{len(started):032}")
        remember(settings, replace(found, job_id=again.job_id, **asdict(attempts)))
        states[again.job_id] = "FAILED"
        return again

    class Over(BaseException):
        """The end of the test."""

    slept: list[float] = []
    said: list[str] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) > 20:
            raise Over

    monkeypatch.setattr(revival, "restore_held", restore)
    remember(settings, Remembered(job_id=JOB, ruleset="r@1", has_run=True))
    states[JOB] = "FAILED"
    with pytest.raises(Over):
        keeper.keep_job(settings, said.append, sleep=sleep, clock=lambda: sum(slept))

    assert len(started) == 5
    assert len(said) == 6
    assert "5 starts within 15 min were in vain; tried again at" in said[-1]
    assert "`fraudlake job restore` starts it at once" in said[-1]


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
