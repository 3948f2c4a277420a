from __future__ import annotations

import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from orchestration.front_door import ask
from orchestration.resources import Traffic
from pipelines.errors import TerminalError, TransientError

if TYPE_CHECKING:
    from pathlib import Path


def say(script: str) -> tuple[str, ...]:
    """A program that runs ``script`` instead of the front door."""
    return (sys.executable, "-c", script)


def test_last_object_is_the_answer_and_every_line_is_logged() -> None:
    lines: list[str] = []
    script = """
import sys
print("planning")
print('{"done": 1}')
print("[not an object]", file=sys.stderr)
print('{"done": 2}')
"""

    answer = ask(log=lines.append, program=say(script))

    assert answer == {"done": 2}
    assert set(lines) == {"planning", '{"done": 1}', "[not an object]", '{"done": 2}'}


@pytest.mark.parametrize(
    ("exit_code", "kind"),
    [(1, TerminalError), (2, TerminalError), (3, TransientError), (4, TerminalError)],
)
def test_only_exit_code_three_is_worth_another_try(exit_code: int, kind: type[Exception]) -> None:
    script = f"import sys; print('error: no broker answers'); sys.exit({exit_code})"

    with pytest.raises(kind, match=f"exit code {exit_code}: no broker answers"):
        ask("job", "submit", log=str, program=say(script))


def test_command_that_ends_well_without_a_word_is_not_taken_for_a_success() -> None:
    with pytest.raises(TerminalError, match="answered nothing"):
        ask("job", "submit", log=str, program=say("print('all good')"))


def test_interrupted_run_leaves_no_child_behind(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    script = (
        f"import os, time, pathlib; pathlib.Path({str(mark)!r}).write_text(str(os.getpid())); "
        "print('sending', flush=True); time.sleep(600)"
    )

    def interrupt(_line: str) -> None:
        raise KeyboardInterrupt

    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        ask(log=interrupt, program=say(script))

    assert time.monotonic() - begun < 30
    gone = subprocess.run(["kill", "-0", mark.read_text()], capture_output=True, check=False)
    assert gone.returncode != 0


def test_killed_run_leaves_no_leashed_child_behind(tmp_path: Path) -> None:
    """Its producer went on sending, and the run that was tried again sent beside it."""
    mark = tmp_path / "pid"
    child = f"import os, time, pathlib; pathlib.Path({str(mark)!r}).write_text(str(os.getpid()))"
    words = f"{child}; print(1, flush=True); time.sleep(600)"
    run = (
        "import sys; from functools import partial; from orchestration.front_door import ask; "
        f"program = (sys.executable, '-c', {words!r}); "
        "ask(log=partial(print, flush=True), is_leashed=True, program=program)"
    )
    with subprocess.Popen([sys.executable, "-c", run], stdout=subprocess.PIPE) as killed:
        assert killed.stdout is not None
        assert killed.stdout.readline() == b"1\n"  # the child has written its mark
        killed.kill()

    pid = int(mark.read_text())
    left = [process for process in psutil.process_iter() if process.pid == pid]
    _, alive = psutil.wait_procs(left, timeout=10)
    assert alive == []


def test_whoever_sends_traffic_is_leashed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, object] = {}

    def answer(*_words: str, **wishes: object) -> dict[str, object]:
        asked.update(wishes)
        return {"sent": 1}

    monkeypatch.setattr("orchestration.resources.processes.ask", answer)
    assert Traffic().send("produce", log=str) == {"sent": 1}
    assert asked["is_leashed"] is True


def test_leashed_child_answers_and_fails_as_any_other() -> None:
    assert ask(log=str, is_leashed=True, program=say("print('{}')")) == {}
    with pytest.raises(TransientError, match="exit code 3"):
        ask(log=str, is_leashed=True, program=say("raise SystemExit(3)"))


def test_fault_that_was_found_is_an_answer_where_the_caller_judges() -> None:
    program = say("print('{\"lost\": 3}'); raise SystemExit(1)")
    assert ask(log=str, program=program, may_find_fault=True) == {"lost": 3}
    with pytest.raises(TerminalError, match="exit code 1"):
        ask(log=str, program=program)
    with pytest.raises(TerminalError, match="exit code 1"):
        ask(log=str, program=say("raise SystemExit(1)"), may_find_fault=True)
