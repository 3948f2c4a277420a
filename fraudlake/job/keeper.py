"""The keeper: starts the job again when the cluster has lost it.

Flink itself restarts a job whose tasks fail. A JobManager that dies takes its jobs along: it comes
back empty, and the job is handed to it again from the newest whole checkpoint. A job that is lost
again and again is given up (``fraudlake.job.revival``): then it is tried seldom, until it stays or
a person starts it.
"""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from fraudlake.job.launch import RUNNING_SECONDS
from fraudlake.job.revival import STEADY_SECONDS, may_revive, note_steady, revive_held
from pipelines.errors import FraudlakeError, TransientError
from pipelines.flink import WANTED_ENDS, FlinkRest
from pipelines.job_memory import hold_job, remembered

if TYPE_CHECKING:
    from collections.abc import Callable

    from fraudlake.job.launch import Deployment
    from pipelines.flink import Job
    from pipelines.job_memory import Remembered
    from pipelines.settings import Settings

POLL_SECONDS = 3.0
LONGEST_PAUSE_SECONDS = 60.0
STRANDED_SECONDS = 2 * RUNNING_SECONDS
"""A deployment waits for so long at most, for the tasks and for the first checkpoint."""


class ClusterAway(TransientError):
    """Flink does not answer, so nothing is known of the job."""


def keep_job(
    settings: Settings,
    say: Callable[[str], None],
    *,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> None:
    """Look after the job until the process is ended; one line for each attempt.

    Attempts that follow each other wait longer and longer, up to a minute, and end with a line
    that says so when too many were in vain.
    """
    attempts, tried_at = 0, clock()
    while True:
        sleep(min(POLL_SECONDS * 2**attempts, LONGEST_PAUSE_SECONDS))
        try:
            deployed = restore_if_lost(settings)
        except ClusterAway:
            continue  # supervisord brings the JobManager back
        except FraudlakeError as error:
            say(f"the job is lost and could not be started again: {error}")
        except Exception as error:
            # Ours to mend. Whoever runs us starts us again, and the log says what it was.
            say(f"the keeper ends by a fault of its own: {type(error).__name__}: {error}")
            raise
        else:
            if deployed is None:
                with contextlib.suppress(FraudlakeError):  # the next look tells as well
                    note_steady(settings)
                attempts = 0 if clock() - tried_at > STEADY_SECONDS else attempts
                continue
            origin = deployed.savepoint or "empty profiles"
            say(f"the job was lost; started again as {deployed.job_id} from {origin}")
        attempts, tried_at = min(attempts + 1, 8), clock()


def restore_if_lost(
    settings: Settings,
    *,
    start: Callable[[Settings], Deployment] = revive_held,
    clock: Callable[[], float] = time.time,
) -> Deployment | None:
    """Submit the last deployment again if it ought to run and does not; else None.

    ClusterAway: Flink does not answer. Any other FraudlakeError: the attempt failed, or was the
    one too many. Who kills servers on purpose hands in a ``start`` without a budget.
    """
    try:
        if not _is_lost(settings, clock):
            return None
    except TransientError as error:
        raise ClusterAway(str(error)) from error
    with hold_job(settings):
        # Whoever held it before may have started or stopped the job.
        return start(settings) if _is_lost(settings, clock) else None


def _is_lost(settings: Settings, clock: Callable[[], float]) -> bool:
    """Whether a deployed job is gone without anyone having wanted that, and may be tried now.

    Cancelled, be it on Flink's own page, or finished: a person wanted that; unless a deployment
    ended it, and died before another was in its place.
    """
    known = remembered(settings)
    if known is None or known.is_stopped or not may_revive(known, clock()):
        return False
    rest = FlinkRest(settings.flink.rest_url)
    jobs = rest.jobs(settings.flink.job_name)
    active = next((job for job in jobs if job.is_active), None)
    if active is not None:
        return _is_stranded(rest, known, active)
    wanted = {"CANCELLING"} if known.is_making_way else WANTED_ENDS
    return known.job_id not in {job.job_id for job in jobs if job.state in wanted}


def _is_stranded(rest: FlinkRest, known: Remembered, active: Job) -> bool:
    """Whether it took another's place, comes to no checkpoint, and nobody may be waiting for that.

    A deployment would have taken it back by now; one that was killed has not.
    """
    return (
        known.replaces is not None
        and active.job_id == known.job_id
        and active.duration_ms > STRANDED_SECONDS * 1000
        and rest.checkpoints(active.job_id).completed == 0
    )
