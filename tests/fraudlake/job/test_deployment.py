"""Which rule set a submission takes, and how a lost job comes back."""

from __future__ import annotations

import contextlib
import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fraudlake.job import deployment
from fraudlake.job.deployment import (
    Deployment,
    choose_ruleset,
    restore_held,
    restore_job,
    stop_held,
)
from pipelines.errors import JobError, TransientError
from pipelines.flink import Job
from pipelines.job_memory import (
    Attempts,
    Remembered,
    hold_job,
    remember,
    remembered,
    statement_file,
)
from pipelines.settings import FlinkSettings, KafkaSettings, Settings, StackSettings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        stack=StackSettings(home=tmp_path),
        kafka=KafkaSettings(topic_prefix="eu-"),
        flink=FlinkSettings(job_name="fraud", ruleset="speed"),
    )


def test_memory_of_two_pipelines_on_one_kafka_is_kept_apart(settings: Settings) -> None:
    kafka = dataclasses.replace(settings.kafka, topic_prefix="us-")
    other = dataclasses.replace(settings, kafka=kafka)
    ours = Remembered(job_id="a" * 32, ruleset="classic@1", is_stopped=True, savepoint="s3://b/c")
    remember(settings, ours)
    assert remembered(settings) == ours
    assert remembered(other) is None
    assert (settings.stack.home / "flink" / "eu-fraud.json").is_file()


def test_damaged_memory_is_an_error_that_says_what_to_do(settings: Settings) -> None:
    remember(settings, Remembered(job_id="a" * 32, ruleset=""))
    file = settings.stack.home / "flink" / "eu-fraud.json"
    file.write_text(file.read_text()[:20])
    with pytest.raises(JobError, match=r"eu-fraud\.json .*--savepoint PATH"):
        remembered(settings)


def test_only_one_command_at_a_time_may_act_on_the_job(settings: Settings) -> None:
    with (
        hold_job(settings),
        pytest.raises(JobError, match="another command"),
        hold_job(settings, wait_seconds=0),
    ):
        pass
    with hold_job(settings, wait_seconds=0):
        pass


def test_rule_set_is_the_named_one_else_the_last_one_else_the_settings(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert choose_ruleset(settings, None) == "speed"
    remember(settings, Remembered(job_id="a" * 32, ruleset="classic@1", ruleset_name="classic"))
    assert choose_ruleset(settings, None) == "classic"
    monkeypatch.chdir(tmp_path)
    assert choose_ruleset(settings, "mine.toml") == str(tmp_path / "mine.toml")
    # Written before names were remembered, or of a job that was submitted by other means.
    remember(settings, Remembered(job_id="a" * 32, ruleset="classic@1"))
    assert choose_ruleset(settings, None) == "speed"


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

    def hand_over(settings: Settings, draft: Remembered, words: list[str]) -> Deployment:
        handed.append((settings, draft, words))
        return answer

    monkeypatch.setattr(deployment, "_hand_over", hand_over)
    monkeypatch.setattr(deployment, "submit_held", lambda settings, attempts: ("anew", attempts))
    if gone is not None:
        attempts = Attempts(revived=(1.0,))
        assert restore_held(settings, attempts=attempts) == ("anew", attempts)
        return
    assert restore_held(settings) is answer
    [(used, draft, words)] = handed
    assert words == ["--statement", str(statement_file(settings, draft.job_id))]
    assert statement_file(settings, draft.job_id).read_text() == "{}"
    assert (used.flink.parallelism, used.flink.state_backend) == (3, "rocksdb")
    assert draft.origin == "s3://b/savepoint"
    assert draft.job_id != known.job_id


@pytest.mark.parametrize("own_state", [None, "s3://b/chk-1"])
def test_job_lost_before_its_first_checkpoint_gives_its_place_back(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own_state: str | None
) -> None:
    """A deployment that was killed left an untried job to the keeper."""
    kernel = tmp_path / "kernel.jar"
    kernel.write_text("")
    old = Remembered(job_id="a" * 32, ruleset="old@1", kernel=str(kernel), revived=(1.0,))
    new = Remembered(
        job_id="b" * 32,
        ruleset="new@1",
        kernel=str(kernel),
        origin="s3://b/savepoint",
        replaces=old,
    )
    remember(settings, new)
    assert remembered(settings) == new
    statement_file(settings, old.job_id).parent.mkdir(parents=True)
    for known in (old, new):
        statement_file(settings, known.job_id).write_text(known.ruleset)
    saved = own_state or "s3://b/savepoint"
    monkeypatch.setattr(deployment, "newest_state", lambda settings: saved)
    ended: list[str] = []
    monkeypatch.setattr(deployment, "FlinkRest", lambda url: Stuck(ended))
    handed: list[Remembered] = []

    def hand_over(settings: Settings, draft: Remembered, words: list[str]) -> None:
        handed.append(draft)

    monkeypatch.setattr(deployment, "_hand_over", hand_over)
    restore_held(settings)

    [draft] = handed
    came_back = new if own_state else old
    assert statement_file(settings, draft.job_id).read_text() == came_back.ruleset
    assert (draft.origin, draft.replaces) == (saved, None)
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


class Stopping:
    """A cluster that is asked to stop a job, and what is remembered of it at that moment."""

    def __init__(self, settings: Settings, error: BaseException | None) -> None:
        self._settings, self._error = settings, error
        self.meanwhile: Remembered | None = None

    def stop(self, job_id: str, *, folder: str, wait_seconds: float) -> str:
        self.meanwhile = remembered(self._settings)
        if self._error is not None:
            raise self._error
        return "file:/savepoint-1"


@pytest.mark.parametrize("is_making_way", [True, False])
@pytest.mark.parametrize(
    ("error", "goes_on"),
    [
        (None, False),
        (JobError("it goes on"), True),
        (TransientError("it may still stop"), False),
        (KeyboardInterrupt(), False),
    ],
)
def test_job_that_makes_way_is_never_taken_for_one_that_a_person_stopped(
    settings: Settings, error: BaseException | None, goes_on: bool, is_making_way: bool
) -> None:
    kernel = statement_file(settings, "a" * 32).with_suffix(".jar")
    known = Remembered(job_id="a" * 32, ruleset="r@1", kernel=str(kernel), has_run=True)
    remember(settings, known)
    kernel.parent.mkdir(parents=True)
    for part in (kernel, kernel.with_suffix(".json")):
        part.write_text("")
    rest = Stopping(settings, error)
    running = Job(job_id="a" * 32, name="fraud", state="RUNNING", started_ms=0, duration_ms=0)
    with contextlib.suppress(JobError, TransientError, KeyboardInterrupt):
        stop_held(settings, rest, running, is_making_way=is_making_way)  # type: ignore[arg-type]

    ending = dataclasses.replace(known, is_making_way=is_making_way, is_stopped=not is_making_way)
    assert rest.meanwhile == ending
    if goes_on or (isinstance(error, TransientError) and not is_making_way):
        assert remembered(settings) == known
    else:
        saved = "file:/savepoint-1" if error is None else None
        assert remembered(settings) == dataclasses.replace(ending, savepoint=saved)


def test_job_of_which_nothing_is_kept_is_left_to_a_person_when_it_makes_way(
    settings: Settings,
) -> None:
    rest = Stopping(settings, None)
    running = Job(job_id="a" * 32, name="fraud", state="RUNNING", started_ms=0, duration_ms=0)
    stop_held(settings, rest, running, is_making_way=True)  # type: ignore[arg-type]
    known = remembered(settings)
    assert known is not None
    assert (known.is_stopped, known.is_making_way) == (True, False)


class NoJobs:
    """A cluster that works on nothing."""

    def __init__(self, url: str) -> None:
        pass

    def active_job(self, name: str) -> None:
        return None


def test_job_is_restored_only_if_it_was_deployed_and_nobody_stopped_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deployment, "FlinkRest", NoJobs)
    monkeypatch.setattr(deployment, "restore_held", lambda settings: "as it was")
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
    monkeypatch.setattr(deployment, "end_left_over", lambda settings: None)
    monkeypatch.setattr(deployment, "FlinkRest", Running)
    submissions = Submissions(failures=2)
    monkeypatch.setattr(deployment, "run_submission", submissions.run)
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
