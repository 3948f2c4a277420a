"""A program starts a lost job again a few times; then a person must, and begins anew."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from fraudlake import deployment, revival
from fraudlake.deployment import Deployment
from fraudlake.revival import revive_held
from pipelines.errors import FraudlakeError, JobError, TransientError
from pipelines.job_memory import Remembered, remember, remembered, statement_file
from pipelines.settings import Settings, StackSettings

if TYPE_CHECKING:
    from pathlib import Path

JOB = "a" * 32
NOW = 1_000_000.0


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(stack=StackSettings(home=tmp_path))


class Cluster:
    """Takes every job, unless it was told to fail."""

    def __init__(self) -> None:
        self.error: FraudlakeError | None = None
        self.hands_over_first = False
        self.starts = 0

    def restore(self, settings: Settings, *, revived: tuple[float, ...] = ()) -> Deployment:
        self.starts += 1
        known = recall(settings)
        job_id = f"{self.starts:032}"
        if self.error is None or self.hands_over_first:
            remember(settings, dataclasses.replace(known, job_id=job_id, revived=revived))
        if self.error is not None:
            raise self.error
        return Deployment(job_id=job_id, state="RUNNING", ruleset="r@1", url="", savepoint=None)


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    one = Cluster()
    monkeypatch.setattr(revival, "restore_held", one.restore)
    return one


def recall(settings: Settings) -> Remembered:
    known = remembered(settings)
    assert known is not None
    return known


@pytest.mark.parametrize(
    ("minutes_ago", "is_started"),
    [
        ((), True),
        ((10, 8, 6, 4), True),
        ((14, 8, 6, 4, 2), False),
        ((16, 8, 6, 4, 2), True),  # the first of them is a quarter of an hour old
        ((600, 500, 400, 300, 200, 100), True),
    ],
)
def test_five_starts_within_a_quarter_of_an_hour_are_the_most(
    settings: Settings, cluster: Cluster, minutes_ago: tuple[float, ...], is_started: bool
) -> None:
    before = tuple(NOW - 60 * minutes for minutes in minutes_ago)
    remember(settings, Remembered(job_id=JOB, ruleset="r@1", revived=before))
    if is_started:
        revive_held(settings, clock=lambda: NOW)
        assert recall(settings).revived[-1] == NOW
        return
    with pytest.raises(JobError, match="5 starts within 15 min were in vain"):
        revive_held(settings, clock=lambda: NOW)
    assert cluster.starts == 0
    # Not even when the attempts are old: only a person starts it.
    with pytest.raises(JobError, match="A person must look"):
        revive_held(settings, clock=lambda: NOW + 86_400)


@pytest.mark.parametrize(
    ("error", "hands_over_first", "counts"),
    [
        (TransientError("no Flink cluster answers"), False, False),
        # The job itself may have taken the JobManager down.
        (TransientError("no Flink cluster answers"), True, True),
        (JobError("no slots"), False, True),
        (JobError("it is FAILED"), True, True),
    ],
)
def test_attempt_counts_unless_a_server_was_away_before_it(
    settings: Settings,
    cluster: Cluster,
    error: FraudlakeError,
    hands_over_first: bool,
    counts: bool,
) -> None:
    cluster.error, cluster.hands_over_first = error, hands_over_first
    remember(settings, Remembered(job_id=JOB, ruleset="r@1", revived=(NOW - 60,)))
    with pytest.raises(FraudlakeError):
        revive_held(settings, clock=lambda: NOW)
    assert recall(settings).revived == ((NOW - 60, NOW) if counts else (NOW - 60,))


def test_person_who_restores_begins_anew(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = tmp_path / "kernel.jar"
    kernel.write_text("")
    statement = statement_file(settings, JOB)
    statement.parent.mkdir(parents=True)
    statement.write_text("{}")
    handed: list[Remembered] = []
    answer = Deployment(job_id="b" * 32, state="RUNNING", ruleset="", url="", savepoint=None)

    def hand_over(settings: Settings, draft: Remembered, words: list[str]) -> Deployment:
        handed.append(draft)
        return answer

    class NoJobs:
        def __init__(self, url: str) -> None: ...

        def active_job(self, name: str) -> None:
            return None

    monkeypatch.setattr(deployment, "_hand_over", hand_over)
    monkeypatch.setattr(deployment, "newest_state", lambda settings: None)
    monkeypatch.setattr(deployment, "FlinkRest", NoJobs)
    remember(
        settings,
        Remembered(
            job_id=JOB, ruleset="r@1", kernel=str(kernel), revived=(NOW,) * 5, given_up="in vain"
        ),
    )
    with pytest.raises(JobError, match="in vain"):
        deployment.restore_job(settings, start=revive_held)
    assert deployment.restore_job(settings) is answer
    [draft] = handed
    assert (draft.revived, draft.given_up) == ((), "")
