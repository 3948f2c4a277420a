"""How a lost job comes back: as it was, or not at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fraudlake.job import launch, restore
from fraudlake.job.launch import Deployment
from fraudlake.job.restore import restore_held, restore_job
from pipelines.errors import JobError
from pipelines.flink import Job
from pipelines.job_memory import (
    Attempts,
    Remembered,
    remember,
    remembered,
    statement_file,
)

if TYPE_CHECKING:
    from pipelines.settings import Settings


@pytest.mark.parametrize("gone", [None, "statement", "kernel"])
def test_lost_job_is_restored_as_it_was_unless_what_it_was_is_gone(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, gone: str | None
) -> None:
    kernel = tmp_path / "kernel.jar"
    known = Remembered(
        job_id="a" * 32,
        ruleset="classic@1",
        ruleset_name="rules.toml",
        kernel=str(kernel),
        origin="s3://b/savepoint",
        code="0123",
        parallelism=3,
        state_backend="rocksdb",
    )
    remember(settings, known)
    kept = statement_file(settings, known.job_id)
    kept.parent.mkdir(parents=True)
    for name, path in (("statement", kept), ("kernel", kernel)):
        if name != gone:
            path.write_text("{}")
    handed: list[tuple[Settings, Remembered, list[str]]] = []
    answer = Deployment(job_id="b" * 32, state="RUNNING", ruleset="", url="", savepoint=None)

    def launched(settings: Settings, draft: Remembered, words: list[str]) -> Deployment:
        handed.append((settings, draft, words))
        return answer

    monkeypatch.setattr(restore, "launch_job", launched)
    monkeypatch.setattr(restore, "submit_held", lambda settings, attempts: ("anew", attempts))
    if gone is not None:
        attempts = Attempts(revived=(1.0,))
        assert restore_held(settings, attempts=attempts) == ("anew", attempts)
        return
    assert restore_held(settings) is answer
    [(used, draft, words)] = handed
    assert words == ["--statement", str(statement_file(settings, draft.job_id))]
    assert statement_file(settings, draft.job_id).read_text() == "{}"
    assert (used.flink.parallelism, used.flink.state_backend) == (3, "rocksdb")
    assert (draft.origin, draft.code) == ("s3://b/savepoint", "0123")
    assert draft.job_id != known.job_id


@pytest.mark.parametrize("own_state", [None, "s3://b/chk-1"])
def test_job_lost_before_its_first_checkpoint_gives_its_place_back(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_state: str | None
) -> None:
    """A deployment that was killed left an untried job to the keeper."""
    kernel = tmp_path / "kernel.jar"
    kernel.write_text("")
    old = Remembered(
        job_id="a" * 32, ruleset="old@1", kernel=str(kernel), code="old", revived=(1.0,)
    )
    new = Remembered(
        job_id="b" * 32,
        ruleset="new@1",
        kernel=str(kernel),
        code="new",
        origin="s3://b/savepoint",
        replaces=old,
    )
    remember(settings, new)
    assert remembered(settings) == new
    statement_file(settings, old.job_id).parent.mkdir(parents=True)
    for known in (old, new):
        statement_file(settings, known.job_id).write_text(known.ruleset)
    saved = own_state or "s3://b/savepoint"
    monkeypatch.setattr(restore, "newest_state", lambda settings: saved)
    ended: list[str] = []
    monkeypatch.setattr(restore, "FlinkRest", lambda url: Stuck(ended))
    handed: list[Remembered] = []

    def launched(settings: Settings, draft: Remembered, words: list[str]) -> None:
        handed.append(draft)

    monkeypatch.setattr(restore, "launch_job", launched)
    restore_held(settings)

    [draft] = handed
    came_back = new if own_state else old
    assert statement_file(settings, draft.job_id).read_text() == came_back.ruleset
    assert (draft.origin, draft.replaces, draft.code) == (saved, None, came_back.code)
    assert ended == ([] if own_state else [new.job_id])
    # Killed at this moment, it is no person who has cancelled the job.
    known = remembered(settings)
    assert known is not None
    assert known.is_making_way is (own_state is None)


class Stuck:
    """A cluster on which a job comes to no checkpoint."""

    def __init__(self, ended: list[str]) -> None:
        self._ended = ended

    def active_job(self, name: str) -> Job:
        return Job(job_id="b" * 32, name=name, state="RESTARTING", started_ms=0, duration_ms=0)

    def cancel(self, job_id: str) -> None:
        self._ended.append(job_id)

    def await_end(self, job_id: str, *, wait_seconds: float) -> None:
        assert self._ended == [job_id]


class NoJobs:
    """A cluster that works on nothing."""

    def __init__(self, url: str) -> None:
        pass

    def active_job(self, name: str) -> None:
        return None


def test_job_is_restored_only_if_it_was_deployed_and_nobody_stopped_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(restore, "FlinkRest", NoJobs)
    monkeypatch.setattr(restore, "restore_held", lambda settings: "as it was")
    with pytest.raises(JobError, match="ever deployed here"):
        restore_job(settings)
    remember(settings, Remembered(job_id="a" * 32, ruleset="r@1", is_stopped=True))
    with pytest.raises(JobError, match="stays stopped"):
        restore_job(settings)
    remember(settings, Remembered(job_id="a" * 32, ruleset="r@1"))
    assert restore_job(settings) == "as it was"


@dataclass(kw_only=True)
class Submissions:
    """Flink's environment, which fails so many times and then takes the job."""

    failures: int
    statements: list[str] = field(default_factory=list)

    def run(self, settings: Settings, module: str, words: list[str], **_: object) -> dict[str, str]:
        assert "--statement" in words, f"planned anew: {words}"
        self.statements.append(Path(words[words.index("--statement") + 1]).read_text())
        if len(self.statements) <= self.failures:
            msg = "the job could not be submitted: no such bucket"
            raise JobError(msg)
        return {"job_id": words[words.index("--job-id") + 1], "ruleset": "own@1"}


class Running:
    """A cluster on which whatever was submitted runs."""

    def __init__(self, url: str) -> None:
        pass

    def await_job(self, job_id: str, *_: object, wait_seconds: float) -> Job:
        return Job(job_id=job_id, name="fraud", state="RUNNING", started_ms=0, duration_ms=0)


def test_edited_rule_file_stays_out_of_force_however_many_restores_fail(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A restore that failed left an id without a statement; the next one planned the file anew."""
    monkeypatch.setattr(launch, "end_left_over", lambda settings: None)
    monkeypatch.setattr(launch, "FlinkRest", Running)
    submissions = Submissions(failures=2)
    monkeypatch.setattr(launch, "run_submission", submissions.run)
    kernel, rules = tmp_path / "kernel.jar", tmp_path / "own.toml"
    kernel.write_bytes(b"")
    deployed = Remembered(
        job_id="a" * 32,
        ruleset="own@1",
        ruleset_name=str(rules),
        kernel=str(kernel),
        origin="s3://b/savepoint",
    )
    remember(settings, deployed)
    kept = statement_file(settings, deployed.job_id)
    kept.parent.mkdir(parents=True)
    kept.write_text("as it was deployed")
    rules.write_text("edited since, and deployed by nobody")

    for _ in range(2):
        with pytest.raises(JobError, match="no such bucket"):
            restore_held(settings)
    assert restore_held(settings).ruleset == "own@1"

    assert submissions.statements == ["as it was deployed"] * 3
