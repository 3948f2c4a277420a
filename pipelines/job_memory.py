"""What is remembered of the job between two commands, and the lock that lets one of them act.

Both lie in ``<stack home>/flink`` and are named by topic prefix and job name, so that two pipelines
on one Kafka never go on from each other's state.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from pipelines.errors import JobError
from pipelines.file_lock import hold_file
from pipelines.whole_file import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.settings import Settings, StateBackend

# Longer than a submission and the wait for its tasks together.
LOCK_SECONDS = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """The last deployment under a job's name, written before the cluster hears of it."""

    job_id: str
    ruleset: str
    """Id and hash; empty until the job was planned."""
    savepoint: str | None = None
    """Where it was stopped; None while it runs, or when it died."""
    ruleset_name: str = ""
    """How the rule set is found again: its shipped name, or its file."""
    origin: str | None = None
    """The state it was to go on from; None where it started with none."""
    has_run: bool = False
    """Whether all its tasks were once seen to run."""
    build: str = ""
    """The hash of what was submitted: statement, kernel and how it runs (``job.build``)."""
    code: str = ""
    """The hash of the sources of the release that it is of, or was last found to be the same as
    (``orchestration.code_version``); empty: not known."""
    kernel: str = ""
    """The jar that was submitted with the statement: the one kept beside it."""
    parallelism: int = 1
    state_backend: StateBackend = "hashmap"
    checkpoint_interval_ms: int = 1000
    """The settings that the job was submitted with, for when it is submitted again as it was."""
    base_currency: str = ""
    """What the sums in its state are in."""
    superseded: dict[str, str | None] = field(default_factory=dict)
    """Jobs deployed before, the oldest first, and the savepoint each was stopped with, if any."""
    is_stopped: bool = False
    """Whether a person wanted it stopped: then nobody but a person starts it again."""
    is_making_way: bool = False
    """Whether a deployment has ended it, or does: if that dies meanwhile, the job is lost."""
    replaces: Remembered | None = None
    """What comes back if it is lost before its first checkpoint; None: nothing does."""
    revived: tuple[float, ...] = ()
    """When a program started it again of late, in seconds since 1970; a person begins anew."""
    proved_at: float = 0.0
    """When the job was seen to have come through: starts before that were not in vain."""
    given_up: str = ""
    """Why programs start it seldom now (``fraudlake.job.revival``); empty: they may."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempts:
    """What a deployment inherits that a program starts again; none where a person does."""

    revived: tuple[float, ...] = ()
    proved_at: float = 0.0
    given_up: str = ""


NO_ATTEMPTS = Attempts()


def remembered(settings: Settings) -> Remembered | None:
    """The last deployment under the job's name, if any; JobError if it cannot be read."""
    path = _file(settings, "json")
    if not path.is_file():
        return None
    try:
        return _read(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        msg = (
            f"{path} does not say where the job's state lies: {error}. Delete it, and submit with "
            "`fraudlake job submit --savepoint PATH`, or with --fresh to forget all profiles"
        )
        raise JobError(msg) from error


def _read(members: dict[str, Any]) -> Remembered:
    known = {item.name for item in fields(Remembered)}
    # What a later release adds says nothing to this one, which may run beside it for a while.
    found = Remembered(**{name: value for name, value in members.items() if name in known})
    before: Any = found.replaces  # as JSON has it
    return replace(
        found,
        revived=tuple(found.revived),
        replaces=None if before is None else _read(before),
    )


def remember(settings: Settings, what: Remembered) -> None:
    """Put ``what`` in place of what was remembered, in one step."""
    write_whole(_file(settings, "json"), json.dumps(asdict(what)) + "\n")


def statement_file(settings: Settings, job_id: str) -> Path:
    """Where the statement of a deployment is kept, to be submitted again as it was."""
    return settings.stack.home / "flink" / "statements" / f"{job_id}.json"


@contextmanager
def hold_job(settings: Settings, *, wait_seconds: float = LOCK_SECONDS) -> Iterator[None]:
    """Be the only one to submit or stop the job; freed by the system if we die."""
    name = settings.flink.job_name
    refusal = JobError(
        f"another command is submitting or stopping job {name} for more than {wait_seconds:.0f} s. "
        "See `fraudlake job status`"
    )
    path = _file(settings, "lock")
    with hold_file(path, wait_seconds=wait_seconds, refuse=lambda: refusal):
        yield


def is_being_changed(settings: Settings) -> bool:
    """Whether somebody submits or stops the job at this moment; nothing is made or waited for."""
    if not _file(settings, "lock").is_file():
        return False
    try:
        with hold_job(settings, wait_seconds=0):
            return False
    except JobError:
        return True


def _file(settings: Settings, kind: str) -> Path:
    return settings.stack.home / "flink" / f"{settings.job_group}.{kind}"
