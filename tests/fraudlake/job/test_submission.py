"""What a submission says when it fails, and what it is started with."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from fraudlake.job import submission
from fraudlake.job.submission import _cause, run_submission
from fraudlake.stack.flink_home import FlinkHome
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("stderr", "cause"),
    [
        ("WARN x\nerror: no rule set 'clasic'\n", "no rule set 'clasic'"),
        (
            "Traceback\nCaused by: A: outer\n\tat b\nCaused by: B: no slots\n\tat c\n",
            "the job could not be submitted: B: no slots",
        ),
        ("one\n\ntwo\nthree\nfour\n", "the job could not be submitted: two three four"),
        ("", "the job could not be submitted: its program ended without a word"),
    ],
)
def test_cause_is_the_programs_own_word_else_the_innermost_one(stderr: str, cause: str) -> None:
    assert _cause(stderr) == cause


def test_killed_deployment_leaves_no_program_behind_that_submits_a_job(tmp_path: Path) -> None:
    """Whoever started the job again then found two of them."""
    mark = tmp_path / "pid"
    python = tmp_path / "python"
    python.write_text(
        f"#!/bin/sh\necho $$ > {mark}.draft\nmv {mark}.draft {mark}\nexec sleep 600\n"
    )
    python.chmod(0o755)
    script = f"""
from pathlib import Path
from fraudlake.job import submission
from fraudlake.stack.flink_home import FlinkHome
from pipelines.settings import Settings
home = FlinkHome(python=Path({str(python)!r}), home=Path("/"), version="2")
submission.find_flink = lambda named: home
submission.connector_jar = lambda: Path("/connector.jar")
submission.run_submission(Settings(), submission.JOB, [], kernel=Path("/kernel.jar"))
"""
    with subprocess.Popen([sys.executable, "-c", script]) as killed:
        deadline = time.monotonic() + 30
        while not mark.is_file():
            assert time.monotonic() < deadline, "the program was not started"
            time.sleep(0.05)
        killed.kill()
    left = [one for one in psutil.process_iter() if one.pid == int(mark.read_text())]
    _, alive = psutil.wait_procs(left, timeout=10)
    assert alive == []


def test_options_of_the_user_come_behind_those_of_a_short_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "{\\"options\\": \\"$JVM_ARGS\\"}"\n', encoding="utf-8")
    python.chmod(0o755)
    flink = FlinkHome(python=python, home=tmp_path, version="2.3.0")
    monkeypatch.setattr(submission, "find_flink", lambda _: flink)
    monkeypatch.setattr(submission, "connector_jar", lambda: tmp_path / "connector.jar")
    monkeypatch.setenv("JVM_ARGS", "-Xmx1g -XX:TieredStopAtLevel=4")

    answer = run_submission(Settings(), "a_program", [], kernel=tmp_path / "kernel.jar")

    # Of two the last one counts.
    assert answer["options"].split() == [
        "-XX:TieredStopAtLevel=1",
        "-Xmx1g",
        "-XX:TieredStopAtLevel=4",
    ]
