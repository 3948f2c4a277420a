"""What the commands of the stack say while nothing runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from fraudlake.cli import app
from pipelines.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    for server in ("KAFKA", "ELASTICSEARCH", "FLINK"):
        monkeypatch.delenv(f"FRAUDLAKE_{server}_EXTERNAL", raising=False)
    monkeypatch.delenv("FRAUDLAKE_STACK_HOME", raising=False)
    return CliRunner()


def test_status_of_a_stack_that_is_down_is_one(run: CliRunner) -> None:
    found = run.invoke(app, ["status", "--json"])
    status = json.loads(found.stdout)
    assert found.exit_code == 1
    assert (status["is_up"], status["is_well"], status["rss_bytes"]) == (False, False, 0)
    parts = {part["name"]: part["state"] for part in status["parts"]}
    assert parts == dict.fromkeys(("kafka", "elasticsearch", "jobmanager", "taskmanager-1"), "down")


def test_status_tells_a_person_how_to_start(run: CliRunner) -> None:
    found = run.invoke(app, ["status"])
    assert found.exit_code == 1
    assert "fraudlake up" in found.stdout


def test_external_server_that_does_not_answer_is_not_well(
    run: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAUDLAKE_ELASTICSEARCH_EXTERNAL", "true")
    monkeypatch.setenv("FRAUDLAKE_ELASTICSEARCH_URL", "http://127.0.0.1:9")
    status = json.loads(run.invoke(app, ["status", "--json"]).stdout)
    (external,) = [part for part in status["parts"] if part["is_external"]]
    assert (external["name"], external["state"]) == ("elasticsearch", "not answering")


def test_down_of_nothing_is_harmless(run: CliRunner, tmp_path: Path) -> None:
    found = run.invoke(app, ["down"])
    assert found.exit_code == 0
    assert "nothing runs" in found.stdout
    assert list(tmp_path.iterdir()) == []


def test_purge_deletes_what_the_stack_made_and_nothing_else(run: CliRunner, tmp_path: Path) -> None:
    home = tmp_path / ".fraudlake"
    (home / "kafka" / "data").mkdir(parents=True)
    (home / "logs").mkdir()
    (home / "notes.txt").write_text("mine")
    assert run.invoke(app, ["down", "--purge"]).exit_code == 0
    assert [path.name for path in home.iterdir()] == ["notes.txt"]


def test_logs_lists_what_there_is_and_shows_the_end(run: CliRunner, tmp_path: Path) -> None:
    folder = tmp_path / ".fraudlake" / "logs"
    folder.mkdir(parents=True)
    (folder / "kafka.log").write_text("one\ntwo\nthree\n")
    assert run.invoke(app, ["logs"]).stdout == "kafka\n"
    assert run.invoke(app, ["logs", "kafka", "-n", "2"]).stdout == "two\nthree\n"
    wrong = run.invoke(app, ["logs", "kafak"])
    assert isinstance(wrong.exception, SettingsError)
    assert "There are: kafka" in str(wrong.exception)
