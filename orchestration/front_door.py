"""Asking the command line, as a child process.

The control plane shares no code with the stream: what needs Flink's environment, or runs for long,
goes through ``fraudlake <command> --json``. Every line the child prints goes to the run's log; the
last one that is a JSON object is its answer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.errors import FraudlakeError, TerminalError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

FOUND_FAULT = 1
"""The exit code that means: done, and something was found wrong, as the answer says."""
AWAY = 3
"""The exit code that means: another system is away, worth another try."""
STOP_SECONDS = 15.0
FRONT_DOOR = (sys.executable, "-P", "-m", "fraudlake.cli")
LEASH = (sys.executable, "-I", "-S", str(Path(__file__).with_name("leash.py")))


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandEnd:
    """How a command ended."""

    exit_code: int
    answer: Mapping[str, Any] | None
    last_words: str
    """The last line that was not JSON: where the command failed, its sentence."""


def ask(
    *words: str,
    log: Callable[[str], object],
    program: tuple[str, ...] = FRONT_DOOR,
    may_find_fault: bool = False,
    is_leashed: bool = False,
) -> Mapping[str, Any]:
    """Run ``fraudlake <words>`` to its end; its answer.

    TransientError when it ends with the code for "away", TerminalError when it fails otherwise or
    answers nothing. Interrupted, it stops the child first. With ``may_find_fault`` an answer that
    something was found wrong is for the caller to judge. With ``is_leashed`` the child ends even
    when we are killed; without, it does what it has begun.
    """
    leash = (*LEASH, str(os.getpid())) if is_leashed else ()
    end = run_command((*leash, *program, *words), log=log)
    command = f"fraudlake {' '.join(words)}"
    is_judged = may_find_fault and end.exit_code == FOUND_FAULT and end.answer is not None
    if end.exit_code != 0 and not is_judged:
        raise _explain(command, end)
    if end.answer is None:
        msg = f"{command} ended well but answered nothing; it should print one JSON object"
        raise TerminalError(msg)
    return end.answer


def run_command(command: tuple[str, ...], *, log: Callable[[str], object]) -> CommandEnd:
    """Run a command to its end, handing each line it prints to ``log``."""
    answer: Mapping[str, Any] | None = None
    last_words = ""
    child = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    try:
        assert child.stdout is not None
        for line in map(str.rstrip, child.stdout):
            if line == "":
                continue
            log(line)
            found = _read_object(line)
            answer = answer if found is None else found
            last_words = line if found is None else last_words
        exit_code = child.wait()
    finally:
        _end(child)
    return CommandEnd(exit_code=exit_code, answer=answer, last_words=last_words)


def _end(child: subprocess.Popen[str]) -> None:
    """See that the child is gone: a cancelled run must not leave a producer behind."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
    if child.stdout is not None:
        child.stdout.close()


def _explain(command: str, end: CommandEnd) -> FraudlakeError:
    sentence = end.last_words.removeprefix("error: ") or "no reason given"
    msg = f"{command} failed with exit code {end.exit_code}: {sentence}"
    return TransientError(msg) if end.exit_code == AWAY else TerminalError(msg)


def _read_object(line: str) -> Mapping[str, Any] | None:
    if not line.startswith("{"):
        return None
    try:
        found = json.loads(line)
    except json.JSONDecodeError:
        return None
    return found if isinstance(found, dict) else None
