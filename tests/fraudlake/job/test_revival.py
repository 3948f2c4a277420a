"""A program starts a lost job again a few times, then seldom; a person begins anew."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from fraudlake.job import restore, revival
from fraudlake.job.launch import Deployment
from fraudlake.job.revival import note_steady, revive_held
from pipelines.errors import FraudlakeError, JobError, TransientError
from pipelines.flink import Checkpoints, Job
from pipelines.job_memory import (
    NO_ATTEMPTS,
    Attempts,
    Remembered,
    remember,
    remembered,
    statement_file,
)
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

    def restore(self, settings: Settings, *, attempts: Attempts = NO_ATTEMPTS) -> Deployment:
        self.starts += 1
        known = recall(settings)
        job_id = f"{self.starts:032}"
        if self.error is None or self.hands_over_first:
            inherited = dataclasses.asdict(attempts)
            remember(settings, dataclasses.replace(known, job_id=job_id, **inherited))
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
    # The newest was at 13:44:40 of 12 January 1970.
    with pytest.raises(JobError, match="5 starts within 15 min were in vain; tried again at 13:59"):
        revive_held(settings, clock=lambda: NOW)
    assert cluster.starts == 0


def test_job_that_was_given_up_is_tried_once_in_a_quarter_of_an_hour_and_stays_given_up(
    settings: Settings, cluster: Cluster
) -> None:
    """Five starts took minutes while a store was away, and nobody tried when it was back."""
    remember(settings, Remembered(job_id=JOB, ruleset="r@1", revived=(NOW,) * 5))
    cluster.error = JobError("no such bucket")
    tried: list[float] = []
    for minute in range(61):
        before = cluster.starts
        with pytest.raises(JobError):
            revive_held(settings, clock=lambda now=NOW + 60 * minute: now)  # type: ignore[misc]
        tried += [minute] if cluster.starts > before else []
        assert "in vain; tried again at" in recall(settings).given_up
    assert tried == [15, 30, 45, 60]

    cluster.error = None
    revive_held(settings, clock=lambda: NOW + 75 * 60)
    # Red until it stays: it may end again at once.
    assert recall(settings).given_up.startswith("1 start within 15 min was in vain; tried again at")


def test_server_that_is_still_away_does_not_let_a_job_that_was_given_up_be_hammered(
    settings: Settings, cluster: Cluster
) -> None:
    remember(settings, Remembered(job_id=JOB, ruleset="r@1", revived=(NOW,), given_up="in vain"))
    cluster.error = TransientError("no Kafka broker answers")
    with pytest.raises(TransientError):
        revive_held(settings, clock=lambda: NOW + 900)
    with pytest.raises(JobError, match="in vain"):
        revive_held(settings, clock=lambda: NOW + 901)


class Seen:
    """A cluster with one job, which has lived for so long and made a checkpoint at such a time."""

    def __init__(self, checkpoint_s: float | None, job_id: str = JOB, state: str = "RUNNING"):
        self._at, self._id, self._state = checkpoint_s, job_id, state

    def active_job(self, name: str) -> Job | None:
        job = Job(job_id=self._id, name=name, state=self._state, started_ms=5000, duration_ms=0)
        return job if job.is_active else None

    def checkpoints(self, job_id: str) -> Checkpoints:
        latest_ms = None if self._at is None else 5000 + int(self._at * 1000)
        return Checkpoints(
            completed=0 if latest_ms is None else 9,
            failed=0,
            restored=1,
            latest_ms=latest_ms,
            latest_bytes=None,
            latest_duration_ms=None,
        )


@pytest.mark.parametrize(
    ("seen", "is_steady"),
    [
        (Seen(61), True),
        (Seen(59), False),
        (Seen(None), False),
        (Seen(61, state="FAILED"), False),
        (Seen(61, job_id="b" * 32), False),
    ],
)
@pytest.mark.parametrize("given_up", ["", "in vain"])
def test_attempts_before_a_job_that_lived_and_decided_are_forgotten(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    seen: Seen,
    is_steady: bool,
    given_up: str,
) -> None:
    monkeypatch.setattr(revival, "FlinkRest", lambda url: seen)
    known = Remembered(job_id=JOB, ruleset="r@1", revived=(NOW - 170,), given_up=given_up)
    remember(settings, known)
    note_steady(settings, clock=lambda: NOW)
    proven = dataclasses.replace(known, proved_at=NOW, given_up="")
    assert recall(settings) == (proven if is_steady else known)


def test_job_that_decides_for_minutes_in_between_is_started_again_however_often(
    settings: Settings, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that was lost every 2 min 50 s, and decided meanwhile, was given up at the sixth."""
    remember(settings, Remembered(job_id=JOB, ruleset="r@1"))
    for number in range(20):
        lost_at = NOW + 170 * number
        revive_held(settings, clock=lambda now=lost_at: now)  # type: ignore[misc]
        again = recall(settings).job_id
        monkeypatch.setattr(revival, "FlinkRest", lambda url, job_id=again: Seen(61, job_id))
        note_steady(settings, clock=lambda now=lost_at + 62: now)  # type: ignore[misc]
    assert cluster.starts == 20
    # The check `restarts` still sees those of the last minutes.
    assert len(recall(settings).revived) == 6


@pytest.mark.parametrize(
    ("is_external", "told"),
    [(False, "`fraudlake logs job-keeper`"), (True, "`docker compose logs job-keeper`")],
)
def test_log_that_is_named_is_one_that_can_be_read_there(
    settings: Settings, cluster: Cluster, is_external: bool, told: str
) -> None:
    stack = dataclasses.replace(settings.stack, sinks_external=is_external)
    there = dataclasses.replace(settings, stack=stack)
    remember(there, Remembered(job_id=JOB, ruleset="r@1", revived=(NOW,) * 5))
    with pytest.raises(JobError) as caught:
        revive_held(there, clock=lambda: NOW)
    assert told in str(caught.value)
    assert ("`fraudlake logs" in str(caught.value)) is not is_external


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

    def launched(settings: Settings, draft: Remembered, words: list[str]) -> Deployment:
        handed.append(draft)
        return answer

    class NoJobs:
        def __init__(self, url: str) -> None: ...

        def active_job(self, name: str) -> None:
            return None

    monkeypatch.setattr(restore, "launch_job", launched)
    monkeypatch.setattr(restore, "newest_state", lambda settings: None)
    monkeypatch.setattr(restore, "FlinkRest", NoJobs)
    remember(
        settings,
        Remembered(
            job_id=JOB, ruleset="r@1", kernel=str(kernel), revived=(NOW,) * 5, given_up="in vain"
        ),
    )
    with pytest.raises(JobError, match="in vain"):
        restore.restore_job(settings, start=lambda known: revive_held(known, clock=lambda: NOW))
    assert restore.restore_job(settings) is answer
    [draft] = handed
    assert (draft.revived, draft.given_up) == ((), "")
