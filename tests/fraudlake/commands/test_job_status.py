"""``fraudlake job status`` and ``status`` of a job that nobody starts any more."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from fraudlake.cli import app
from fraudlake.stack.status import read_status
from pipelines.flink import FlinkRest, Job
from pipelines.job_memory import Remembered, remember
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

WHY = "5 starts within 15 min were in vain. `fraudlake job restore` starts it"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Of a cluster that knows no job, as a JobManager does that has just been restarted."""

    def jobs(rest: FlinkRest, name: str) -> list[Job]:
        return []

    monkeypatch.setattr(FlinkRest, "jobs", jobs)
    monkeypatch.setenv("FRAUDLAKE_STACK_HOME", str(tmp_path))
    return Settings.from_env()


def test_job_that_was_given_up_is_said_to_be(settings: Settings) -> None:
    remember(settings, Remembered(job_id="a" * 32, ruleset="r@1", given_up=WHY))
    said = CliRunner().invoke(app, ["job", "status"])
    assert (said.exit_code, WHY in said.stdout) == (1, True)
    found = json.loads(CliRunner().invoke(app, ["job", "status", "--json"]).stdout)
    assert found == {"state": "absent", "given_up": WHY}


@pytest.mark.parametrize(("given_up", "note"), [("", ""), (WHY, f"given up: {WHY}")])
def test_status_of_the_stack_has_a_note_of_it(settings: Settings, given_up: str, note: str) -> None:
    remember(settings, Remembered(job_id="a" * 32, ruleset="r@1", given_up=given_up))
    home = settings.stack.home
    (home / "endpoints.toml").write_text('[up]\nparts = ["job"]\n')
    (job,) = [part for part in read_status(settings).parts if part.name == "job"]
    assert (job.state, job.note) == ("down", note)


def test_memory_that_cannot_be_read_hides_no_other_part(settings: Settings) -> None:
    remember(settings, Remembered(job_id="a" * 32, ruleset="r@1"))
    home = settings.stack.home
    (memory,) = (home / "flink").glob("*.json")
    memory.write_text("{")
    (home / "endpoints.toml").write_text('[up]\nparts = ["kafka", "job"]\n')
    kafka, job = read_status(settings).parts
    assert (kafka.name, job.name) == ("kafka", "job")
    assert "does not say where the job's state lies" in job.note
