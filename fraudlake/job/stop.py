"""Stopping the job with a savepoint, from which the next one goes on."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from fraudlake.job.kept_parts import is_kept
from fraudlake.job.saved_state import checkpoint_uri
from pipelines.errors import FraudlakeError, JobError
from pipelines.flink import FlinkRest
from pipelines.job_memory import Remembered, hold_job, remember, remembered

if TYPE_CHECKING:
    from pipelines.flink import Job
    from pipelines.settings import Settings

SAVEPOINT_SECONDS = 120.0


def stop_job(settings: Settings) -> str:
    """Stop the running job with a savepoint, whose path is returned and remembered.

    Nobody but a person starts it again. One that could not make its savepoint goes on.
    """
    with hold_job(settings):
        rest = FlinkRest(settings.flink.rest_url)
        return stop_held(settings, rest, _require_job(rest, settings))


def stop_held(
    settings: Settings, rest: FlinkRest, running: Job, *, is_making_way: bool = False
) -> str:
    """``stop_job`` for who holds the job already.

    ``is_making_way``: another is to take its place, and nobody wants this one to stay stopped. If
    we die before that runs, it is found lost and comes back (``restore_held``); only where what it
    was made of is not kept a person must choose.
    """
    known = remembered(settings)
    if known is None or known.job_id != running.job_id:
        known = Remembered(job_id=running.job_id, ruleset="", has_run=True)
    comes_back = is_making_way and is_kept(settings, known)
    ending = dataclasses.replace(known, is_stopped=not comes_back, is_making_way=comes_back)
    # Before the savepoint: if we die while it is made, it is found on disk.
    remember(settings, ending)
    try:
        savepoint = rest.stop(
            running.job_id, folder=checkpoint_uri(settings), wait_seconds=SAVEPOINT_SECONDS
        )
    except FraudlakeError as error:
        # It goes on, or ends by itself after all: then Flink says FINISHED, and that stands for a
        # person's stop; one that makes way is lost then.
        if isinstance(error, JobError) or not comes_back:
            remember(settings, known)
        raise
    remember(settings, dataclasses.replace(ending, savepoint=savepoint))
    return savepoint


def _require_job(rest: FlinkRest, settings: Settings) -> Job:
    running = rest.active_job(settings.flink.job_name)
    if running is None:
        msg = f"no job {settings.flink.job_name} runs. Start it with `fraudlake job submit`"
        raise JobError(msg)
    return running
