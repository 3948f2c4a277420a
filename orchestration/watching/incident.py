"""Whether the job must be started again: twice for an incident at most, and never in a loop.

Flink restarts what fails, and the stack's keeper brings back what a dead JobManager took along.
What is left is a job that has ended: given up by Flink, cancelled by hand, or still unknown after
one more look. Keeper and watch draw on one budget (``fraudlake.job.revival``): where it is used up,
nothing is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestration.watching.glance import Trouble
from pipelines.flink import ENDED_STATES

if TYPE_CHECKING:
    from orchestration.watching.cursor import Cursor
    from orchestration.watching.glance import Glance

MOST_REPAIRS = 2
"""Within an hour; what ends again then needs a person."""
HOUR_S = 3600.0
AGAIN_S = 300.0
"""A job that is still ended so long after its repair was asked for: that run has failed."""
GRACE_S = 45.0
"""An unknown job is given so long: the keeper brings it back when the JobManager was restarted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """What is to be done about the job, in words and, where it is to be repaired, by a key."""

    sentence: str
    """Empty: there is none."""
    repair_key: str | None = None
    is_absent: bool = False
    """The deployed job is unknown to Flink."""


NONE = Incident(sentence="")


def assess(glance: Glance, cursor: Cursor) -> Incident:
    """What one look says of the job."""
    notes, stream = glance.notes, glance.stream
    if isinstance(notes, Trouble) or isinstance(stream, Trouble) or notes.deployed_id is None:
        return NONE
    job = stream.job
    if (job is not None and job.is_active) or notes.is_stopped:
        return NONE
    if notes.is_being_changed or notes.given_up != "":
        given_up = f"the job is lost: {notes.given_up}"
        changing = "a command is changing the job: looking again"
        return Incident(sentence=changing if notes.is_being_changed else given_up)
    if job is None or job.job_id != notes.deployed_id:
        return _assess_absence(notes.deployed_id, glance.at.timestamp(), cursor)
    if job.state not in ENDED_STATES:
        return Incident(sentence=f"the job is {job.state}: looking again")
    key = f"{job.job_id}:{job.started_ms + job.duration_ms}"
    return _limit(f"job {job.job_id} is {job.state}", key, glance.at.timestamp(), cursor)


def _assess_absence(job_id: str, now: float, cursor: Cursor) -> Incident:
    sentence = f"Flink does not know job {job_id}"
    if cursor.absent_since is None or now - cursor.absent_since < GRACE_S:
        return Incident(sentence=f"{sentence}: looking again", is_absent=True)
    found = _limit(sentence, f"{job_id}:unknown", now, cursor)
    return Incident(sentence=found.sentence, repair_key=found.repair_key, is_absent=True)


def _limit(sentence: str, key: str, now: float, cursor: Cursor) -> Incident:
    recent = [at for at in cursor.repairs if now - at < HOUR_S]
    again = f"{key}:again"
    if cursor.repaired in (key, again):
        if recent and now - recent[-1] < AGAIN_S:
            return Incident(sentence=f"{sentence}; its repair was asked for, see the runs")
        if cursor.repaired == again:
            return Incident(
                sentence=f"{sentence}, and two repairs did not bring it back: a person must look "
                "at their runs. Materialize flink/fraud_detection when the cause is gone"
            )
        key = again  # Dagster never launches a second run under one key
    if len(recent) >= MOST_REPAIRS:
        return Incident(
            sentence=f"{sentence}, and was repaired {len(recent)} times within the hour: a person "
            "must look at it. Materialize flink/fraud_detection when the cause is gone"
        )
    return Incident(sentence=f"{sentence}: repairing it", repair_key=key)
