"""Which rule set a submission takes, and how a lost job comes back."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from fraudlake import deployment
from fraudlake.deployment import Deployment, choose_ruleset, restore_held, restore_job
from pipelines.errors import JobError
from pipelines.flink import Job
from pipelines.job_memory import Remembered, hold_job, remember, remembered, statement_file
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
    monkeypatch.setattr(deployment, "submit_held", lambda settings, revived: ("anew", revived))
    if gone is not None:
        assert restore_held(settings, revived=(1.0,)) == ("anew", (1.0,))
        return
    assert restore_held(settings) is answer
    [(used, draft, words)] = handed
    assert words == ["--statement", str(statement_file(settings, draft.job_id))]
    assert statement_file(settings, draft.job_id).read_text() == "{}"
    assert (used.flink.parallelism, used.flink.state_backend) == (3, "rocksdb")
    assert draft.origin == "s3://b/savepoint"
    assert draft.job_id != known.job_id


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
