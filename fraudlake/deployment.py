"""The Flink job as something that is deployed: submitted, found again, stopped with its state.

The job itself is planned and submitted by ``flink_jobs`` in Flink's own environment, as a child
process. What is remembered here, in ``<stack home>/flink/<job name>.json``, is only where its state
lies, so that the next submission goes on from it.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from fraudlake.stack.flink_home import find_flink
from fraudlake.stack.jars import connector_jar
from fraudlake.stack.kernel import build_kernel
from fraudlake.stack.project import PROJECT
from pipelines.errors import JobError
from pipelines.features import load_features
from pipelines.flink import FlinkRest, Job
from pipelines.kafka import create_topics
from pipelines.rules import load_ruleset

if TYPE_CHECKING:
    from pipelines.settings import Settings

SUBMIT_SECONDS = 180.0
RUNNING_SECONDS = 60.0
SAVEPOINT_SECONDS = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """A job that was handed to the cluster and runs."""

    job_id: str
    state: str
    ruleset: str
    url: str
    savepoint: str | None
    """The state it went on from; None where it started with none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """The last deployment under a job's name."""

    job_id: str
    ruleset: str
    savepoint: str | None
    """Where it was stopped; None while it runs, or when it died."""


def submit_job(
    settings: Settings, *, ruleset: str | None = None, is_fresh: bool = False
) -> Deployment:
    """Start the job and wait until all its tasks run.

    It goes on from its newest savepoint or checkpoint, unless ``is_fresh``. A faulty rule file is
    refused before anything starts; a job of the same name that already runs is left alone, and is
    an error.
    """
    name = ruleset if ruleset is not None else settings.flink.ruleset
    load_ruleset(name, load_features())
    rest = FlinkRest(settings.flink.rest_url)
    running = rest.active_job(settings.flink.job_name)
    if running is not None:
        msg = (
            f"job {settings.flink.job_name} is {running.state} already ({running.job_id}). "
            "Stop it first: `fraudlake job stop`"
        )
        raise JobError(msg)
    create_topics(settings.kafka, settings.kafka.topics().all())
    savepoint = None if is_fresh else newest_state(settings)
    answer = run_submission(
        settings, "flink_jobs.fraud_detection", ["--ruleset", name], savepoint=savepoint
    )
    job_id = str(answer["job_id"])
    _remember(settings, Remembered(job_id=job_id, ruleset=answer["ruleset"], savepoint=savepoint))
    job = rest.await_job(
        job_id,
        lambda found: found.state == "RUNNING" and rest.are_tasks_running(job_id),
        wait_seconds=RUNNING_SECONDS,
    )
    return Deployment(
        job_id=job_id,
        state=job.state,
        ruleset=answer["ruleset"],
        url=f"{settings.flink.rest_url}/#/job/{job_id}",
        savepoint=savepoint,
    )


def run_submission(
    settings: Settings, module: str, words: list[str], *, savepoint: str | None = None
) -> dict[str, str]:
    """Run a program of ``flink_jobs`` in Flink's environment; its answer: job id and rule set."""
    flink = find_flink(settings.flink.python)
    command = [str(flink.python), "-m", module, *words]
    for jar in (build_kernel(flink), connector_jar()):
        command += ["--jar", str(jar)]
    if savepoint is not None:
        command += ["--savepoint", savepoint]
    environ = {**os.environ, **settings.to_env(), "PYTHONPATH": str(PROJECT)}
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


def _cause(stderr: str) -> str:
    """What went wrong, out of the traceback of Python and the many of the JVM."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    own = [line for line in lines if line.startswith("error: ")]
    if own:
        return own[-1].removeprefix("error: ")
    causes = [line for line in lines if line.startswith("Caused by: ")]
    telling = causes[-1].removeprefix("Caused by: ") if causes else " ".join(lines[-3:])
    return f"the job could not be submitted: {telling or 'its program ended without a word'}"


def stop_job(settings: Settings) -> str:
    """Stop the running job with a savepoint, whose path is returned and remembered."""
    rest = FlinkRest(settings.flink.rest_url)
    running = _require_job(rest, settings)
    savepoint = rest.stop(running.job_id, wait_seconds=SAVEPOINT_SECONDS)
    known = remembered(settings)
    ruleset = "" if known is None else known.ruleset
    _remember(settings, Remembered(job_id=running.job_id, ruleset=ruleset, savepoint=savepoint))
    return savepoint


def _require_job(rest: FlinkRest, settings: Settings) -> Job:
    running = rest.active_job(settings.flink.job_name)
    if running is None:
        msg = f"no job {settings.flink.job_name} runs. Start it with `fraudlake job submit`"
        raise JobError(msg)
    return running


def newest_state(settings: Settings) -> str | None:
    """The newest savepoint or whole checkpoint of the last deployment; None if there is none.

    A job that died has left checkpoints newer than the savepoint it once started from. Half-written
    ones have no ``_metadata`` and do not count.
    """
    known = remembered(settings)
    if known is None:
        return None
    checkpoints = checkpoint_folder(settings) / known.job_id
    whole = [path.parent for path in checkpoints.glob("chk-*/_metadata")]
    savepoint = [] if known.savepoint is None else [_local(known.savepoint)]
    found = [path for path in (*whole, *savepoint) if path is not None and path.exists()]
    if found:
        newest = max(found, key=lambda path: (path / "_metadata").stat().st_mtime_ns)
        return newest.resolve().as_uri()
    return known.savepoint


def checkpoint_folder(settings: Settings) -> Path:
    """Where checkpoints and savepoints lie, as far as this machine can see them."""
    named = settings.flink.checkpoint_dir
    if named == "":
        return settings.stack.home / "flink" / "checkpoints"
    return _local(named) or Path(named)


def _local(uri: str) -> Path | None:
    parsed = urlparse(uri)
    return Path(unquote(parsed.path)) if parsed.scheme in ("", "file") else None


def remembered(settings: Settings) -> Remembered | None:
    """The last deployment under the job's name, if any."""
    path = _memory(settings)
    return Remembered(**json.loads(path.read_text())) if path.is_file() else None


def _remember(settings: Settings, what: Remembered) -> None:
    path = _memory(settings)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(asdict(what)) + "\n", encoding="utf-8")
    draft.replace(path)


def _memory(settings: Settings) -> Path:
    return settings.stack.home / "flink" / f"{settings.flink.job_name}.json"
