"""Starting a lost job again because a program found it lost: a few times, and never in a loop.

The keeper and Dagster's watch draw on one budget, so that a job that always ends is not handed from
one to the other for ever. A job that lives for minutes in between is started again however often:
it decides meanwhile, and Dagster's check ``restarts`` is red.
"""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING

from fraudlake.deployment import Deployment, restore_held
from pipelines.errors import JobError, TransientError
from pipelines.job_memory import remember, remembered

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.settings import Settings

MOST_REVIVALS = 5
WITHIN_S = 900.0
"""Longer than so many attempts take that fail one after the other, with the pauses between them."""


def revive_held(settings: Settings, *, clock: Callable[[], float] = time.time) -> Deployment:
    """The last deployment once more, for a program that holds the job and has found it lost.

    1. Where the budget is used up, that is written down, and JobError says so, now and later,
       until a person submits, deploys or restores.
    2. The attempt is written down before the cluster hears of it, so that it counts even if we die.
    3. The job is started as it was. What failed before it was handed over because a server is away
       was no attempt.
    """
    known = remembered(settings)
    if known is None:
        return restore_held(settings)
    now = clock()
    recent = tuple(at for at in known.revived if now - at < WITHIN_S)
    if known.given_up == "" and len(recent) >= MOST_REVIVALS:  # 1.
        known = dataclasses.replace(known, given_up=_explain(len(recent)))
        remember(settings, known)
    if known.given_up != "":
        raise JobError(known.given_up)
    remember(settings, dataclasses.replace(known, revived=(*recent, now)))  # 2.
    try:
        return restore_held(settings, revived=(*recent, now))  # 3.
    except TransientError:
        left = remembered(settings)
        if left is not None and left.job_id == known.job_id:
            remember(settings, dataclasses.replace(left, revived=recent))
        raise


def _explain(attempts: int) -> str:
    return (
        f"{attempts} starts within {WITHIN_S / 60:.0f} min were in vain. A person must look: "
        "`fraudlake logs job-keeper` and Flink's page say why it ended. When the cause is gone, "
        "`fraudlake job restore` starts it"
    )
