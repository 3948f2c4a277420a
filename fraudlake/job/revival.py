"""Starting a lost job again because a program found it lost: a few times, then seldom.

The keeper and Dagster's watch draw on one budget, so that a job that always ends is not handed from
one to the other for ever. A job that lives for a minute or more in between is started again however
often: it decides meanwhile, and Dagster's check ``restarts`` is red. One that was given up is tried
once in a quarter of an hour, so that no stream stays down for an outage that is over.
"""

from __future__ import annotations

import dataclasses
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from fraudlake.job.restore import restore_held
from pipelines.errors import JobError, TransientError
from pipelines.flink import FlinkRest
from pipelines.job_memory import Attempts, hold_job, is_being_changed, remember, remembered

if TYPE_CHECKING:
    from collections.abc import Callable

    from fraudlake.job.launch import Deployment
    from pipelines.job_memory import Remembered
    from pipelines.settings import Settings

MOST_REVIVALS = 5
WITHIN_S = 900.0
"""Longer than so many attempts take that fail one after the other, with the pauses between them;
and the pause between the attempts at a job that was given up."""
STEADY_SECONDS = 60.0
"""A job that lives so long was not lost for a reason of its own."""


def revive_held(settings: Settings, *, clock: Callable[[], float] = time.time) -> Deployment:
    """The last deployment once more, for a program that holds the job and has found it lost.

    1. Where five starts within a quarter of an hour were in vain, the job is given up. JobError
       says so, now and until it may be tried again.
    2. The attempt is written down before the cluster hears of it, so that it counts even if we die.
       A job that was given up stays so until it is steady (``note_steady``), or until a person
       submits, deploys or restores.
    3. The job is started as it was. Where a server was away before the job was handed over, that
       was no attempt.
    """
    known = remembered(settings)
    if known is None:
        return restore_held(settings)
    now = clock()
    recent = tuple(at for at in known.revived if now - at < WITHIN_S)
    in_vain = [at for at in recent if at > known.proved_at]
    if known.given_up == "" and len(in_vain) >= MOST_REVIVALS:  # 1.
        given_up = _explain(settings, len(in_vain), again_at=recent[-1] + WITHIN_S)
        remember(settings, dataclasses.replace(known, given_up=given_up))
        raise JobError(given_up)
    if not may_revive(known, now):
        raise JobError(known.given_up)
    is_given_up = known.given_up != ""
    attempts = Attempts(
        revived=(*recent, now),
        proved_at=known.proved_at,
        given_up=_explain(settings, 1, again_at=now + WITHIN_S) if is_given_up else "",
    )
    remember(settings, dataclasses.replace(known, **dataclasses.asdict(attempts)))  # 2.
    try:
        return restore_held(settings, attempts=attempts)  # 3.
    except TransientError:
        left = remembered(settings)
        if not is_given_up and left is not None and left.job_id == known.job_id:
            remember(settings, dataclasses.replace(left, revived=recent))
        raise


def may_revive(known: Remembered, now: float) -> bool:
    """Whether a program may start it: it was not given up, or was left alone for long enough."""
    return known.given_up == "" or all(now - at >= WITHIN_S for at in known.revived)


def note_steady(settings: Settings, *, clock: Callable[[], float] = time.time) -> None:
    """Forget the attempts that led to a job which now decides; nothing where there are none.

    It has made a checkpoint after it had lived for a minute. TransientError: Flink is away.
    """
    known = remembered(settings)
    if known is None or all(at <= known.proved_at for at in known.revived):
        return
    rest = FlinkRest(settings.flink.rest_url)
    job = rest.active_job(settings.flink.job_name)
    if job is None or job.job_id != known.job_id:
        return
    latest_ms = rest.checkpoints(job.job_id).latest_ms
    if latest_ms is None or latest_ms - job.started_ms < STEADY_SECONDS * 1000:
        return
    if is_being_changed(settings):
        return  # the next look is soon enough
    with hold_job(settings):
        left = remembered(settings)
        if left is not None and left.job_id == known.job_id:
            remember(settings, dataclasses.replace(left, proved_at=clock(), given_up=""))


def _explain(settings: Settings, attempts: int, *, again_at: float) -> str:
    starts = "1 start" if attempts == 1 else f"{attempts} starts"
    were = "was" if attempts == 1 else "were"
    log = (
        "the keeper's log (in the containers `docker compose logs job-keeper`)"
        if settings.stack.sinks_external
        else "`fraudlake logs job-keeper`"
    )
    return (
        f"{starts} within {WITHIN_S / 60:.0f} min {were} in vain; tried again at "
        f"{datetime.fromtimestamp(again_at, UTC):%H:%M} UTC. A person must look: {log} and Flink's "
        "page say why it ended. When the cause is gone, `fraudlake job restore` starts it at once"
    )
