"""The programs of ``flink_jobs`` as child processes: planned, submitted, and what they answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING

from fraudlake.stack.flink_home import find_flink
from fraudlake.stack.jars import connector_jar
from fraudlake.stack.kernel import build_kernel
from fraudlake.stack.project import PROJECT
from orchestration.front_door import LEASH
from pipelines.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pipelines.settings import Settings

JOB = "flink_jobs.fraud_detection"
SUBMIT_SECONDS = 180.0
CLIENT_OPTIONS = "-XX:TieredStopAtLevel=1"
"""Of Flink's client, which plans one statement and ends: the optimiser of bytecode took half of its
computing, on the cores of the servers beside it."""


def run_submission(
    settings: Settings,
    module: str,
    words: Sequence[str],
    *,
    savepoint: str | None = None,
    kernel: Path | None = None,
) -> dict[str, str]:
    """Run a program of ``flink_jobs`` in Flink's environment; its answer: job id and rule set.

    ``kernel`` None: the one of these sources. When we are killed it ends, too: whoever then starts
    the job would find two.
    """
    flink = find_flink(settings.flink.python)
    command = [*LEASH, str(os.getpid()), str(flink.python), "-m", module, *words]
    for jar in (kernel or build_kernel(flink), connector_jar()):
        command += ["--jar", str(jar)]
    if savepoint is not None:
        command += ["--savepoint", savepoint]
    environ = {**os.environ, **settings.to_env(), "PYTHONPATH": str(PROJECT)}
    environ["JVM_ARGS"] = f"{CLIENT_OPTIONS} {os.environ.get('JVM_ARGS', '')}"
    try:
        done = subprocess.run(
            command,
            env=environ,
            capture_output=True,
            text=True,
            timeout=SUBMIT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        msg = f"the job was not submitted within {SUBMIT_SECONDS:.0f} s; is the cluster overloaded?"
        raise JobError(msg) from error
    if done.returncode != 0:
        raise JobError(_cause(done.stderr))
    answer: dict[str, str] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def write_sql(settings: Settings, ruleset: str) -> str:
    """The job's whole statement; JobError where it cannot be planned. Needs no Flink."""
    return _plan(settings, ["--ruleset", ruleset, "--show"])


def read_side_inputs(settings: Settings, words: Sequence[str]) -> list[str]:
    """The statement's sources beside the transactions, as ``Topics`` names them. Needs no Flink."""
    found: dict[str, list[str]] = json.loads(_plan(settings, [*words, "--side-inputs"]))
    return found["side_inputs"]


def _plan(settings: Settings, words: Sequence[str]) -> str:
    command = [sys.executable, "-m", JOB, *words]
    environ = {**os.environ, **settings.to_env(), "PYTHONPATH": str(PROJECT)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise JobError(_cause(done.stderr))
    return done.stdout


def _cause(stderr: str) -> str:
    """What went wrong, out of the traceback of Python and the many of the JVM."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    own = [line for line in lines if line.startswith("error: ")]
    if own:
        return own[-1].removeprefix("error: ")
    causes = [line for line in lines if line.startswith("Caused by: ")]
    telling = causes[-1].removeprefix("Caused by: ") if causes else " ".join(lines[-3:])
    return f"the job could not be submitted: {telling or 'its program ended without a word'}"
