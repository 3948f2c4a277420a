"""The last deployment started again, as it was."""

from __future__ import annotations

import dataclasses
import uuid
from dataclasses import asdict
from typing import TYPE_CHECKING

from fraudlake.job.kept_parts import is_kept, keep_statement
from fraudlake.job.launch import RUNNING_SECONDS, launch_job
from fraudlake.job.saved_state import newest_state
from fraudlake.job.start import submit_held
from pipelines.errors import JobError
from pipelines.flink import FlinkRest
from pipelines.job_memory import NO_ATTEMPTS, Attempts, hold_job, remember, remembered

if TYPE_CHECKING:
    from collections.abc import Callable

    from fraudlake.job.launch import Deployment
    from pipelines.job_memory import Remembered
    from pipelines.settings import Settings


def restore_job(
    settings: Settings, *, start: Callable[[Settings], Deployment] | None = None
) -> Deployment | None:
    """Start the last deployment again, as it was; None if Flink works on one of its name.

    JobError if none was ever deployed, or if a person stopped it: then a person starts it. A
    program that asks hands in a ``start`` of its own (``fraudlake.job.revival``).
    """
    with hold_job(settings):
        known = remembered(settings)
        name = settings.flink.job_name
        if known is None:
            msg = f"no job {name} was ever deployed here. Deploy it with `fraudlake job deploy`"
            raise JobError(msg)
        if FlinkRest(settings.flink.rest_url).active_job(name) is not None:
            return None
        if known.is_stopped:
            msg = (
                f"job {name} was stopped by `fraudlake job stop`, so it stays stopped. Start it "
                "with `fraudlake job submit`"
            )
            raise JobError(msg)
        return restore_held(settings) if start is None else start(settings)


def restore_held(settings: Settings, *, attempts: Attempts = NO_ATTEMPTS) -> Deployment:
    """The last deployment once more, from the newest state it has left, for who holds the job.

    As it was submitted: a rule file edited since, or one that was taken back, waits for a deploy.
    One that was lost before its first checkpoint has shown nothing: the job whose place it took
    comes back. Planned anew only where the statement or the kernel of then are gone. ``attempts``
    are remembered of it: a program's, this one included.
    """
    known = remembered(settings)
    if known is None:
        return submit_held(settings, attempts=attempts)
    state = newest_state(settings)
    if known.replaces is not None and state == known.origin:
        end_untried(settings, FlinkRest(settings.flink.rest_url))
        known = known.replaces
    if not is_kept(settings, known):
        return submit_held(settings, attempts=attempts)
    return submit_again(settings, known, savepoint=state, attempts=attempts)


def end_untried(settings: Settings, rest: FlinkRest) -> None:
    """End whatever there is of a job that does not come to its first checkpoint."""
    failed = rest.active_job(settings.flink.job_name)
    if failed is None:
        return
    known = remembered(settings)
    if known is not None:
        # If we die meanwhile, no person has cancelled it.
        remember(settings, dataclasses.replace(known, is_making_way=True))
    rest.cancel(failed.job_id)
    rest.await_end(failed.job_id, wait_seconds=RUNNING_SECONDS)


def submit_again(
    settings: Settings,
    known: Remembered,
    *,
    savepoint: str | None,
    attempts: Attempts = NO_ATTEMPTS,
) -> Deployment:
    """Submit what ``known`` was: statement, kernel and settings, whatever has changed since."""
    flink = dataclasses.replace(
        settings.flink,
        parallelism=known.parallelism,
        state_backend=known.state_backend,
        checkpoint_interval_ms=known.checkpoint_interval_ms,
    )
    draft = dataclasses.replace(
        known,
        job_id=uuid.uuid4().hex,
        origin=savepoint,
        savepoint=None,
        has_run=False,
        is_stopped=False,
        is_making_way=False,
        replaces=None,
        **asdict(attempts),
    )
    # Before the new id is remembered: if the submission fails, the next one finds it, too.
    statement = keep_statement(settings, draft.job_id, of=known.job_id)
    own = dataclasses.replace(settings, flink=flink)
    return launch_job(own, draft, ["--statement", str(statement)])
