"""Judging how often the job had to be started anew: by Flink, by the keeper or by the watch.

Flink itself remembers its newest failures with their times, and what programs started again is
written down where the job is remembered. So nothing is counted here from look to look: a look by
hand, and the first one of a new daemon, judge like any other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.verdict import Verdict, fail, is_well, unknown, warn
from orchestration.watching.glance import JobNotes, StreamGlance, Trouble

if TYPE_CHECKING:
    from datetime import datetime

WINDOW_S = 600.0
RESTARTS_FAIL = 3
"""So often within the window: it does not get over that by itself."""
LONGEST_CAUSE = 200


def judge_restarts(
    notes: JobNotes | Trouble, stream: StreamGlance | Trouble, at: datetime
) -> Verdict:
    """Did the job fail, or was it lost, of late?"""
    for one in (notes, stream):
        if isinstance(one, Trouble):
            return unknown(f"nothing is known of it: {one.sentence}")
    assert isinstance(notes, JobNotes)
    assert isinstance(stream, StreamGlance)
    now = at.timestamp()
    failed = [one.at_ms / 1000 for one in stream.failures if now - one.at_ms / 1000 < WINDOW_S]
    lost = [moment for moment in notes.revived if now - moment < WINDOW_S]
    figures = {"failed": len(failed), "started again": len(lost)}
    if notes.given_up != "" and (stream.job is None or not stream.job.is_active):
        return fail(f"the job does not come back: {notes.given_up}", **figures)
    span = f"within the last {WINDOW_S / 60:.0f} min"
    if not failed and not lost:
        return is_well(f"the job did not fail {span}", **figures)
    count = len(failed) + len(lost)
    often = "once" if count == 1 else f"{count} times"
    cause = f": {stream.failures[0].cause[:LONGEST_CAUSE]}" if failed else ""
    ago = max(0.0, now - max(*failed, *lost, 0.0))
    sentence = f"the job failed or was lost {often} {span}, {ago:.0f} s ago the last time{cause}"
    return (fail if count >= RESTARTS_FAIL else warn)(sentence, **figures)
