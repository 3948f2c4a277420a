"""A job that fails again and again is red, whoever starts it again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from glances import AWAY, NO_JOB, NOW, job, notes, stream

from orchestration.watching.restarts import judge_restarts
from pipelines.flink import Failure

if TYPE_CHECKING:
    from orchestration.watching.glance import JobNotes, StreamGlance, Trouble

T = NOW.timestamp()
LOST = "java.util.concurrent.TimeoutException: Heartbeat of TaskManager timed out."


def failures(*seconds_ago: float) -> tuple[Failure, ...]:
    return tuple(
        Failure(at_ms=round((T - ago) * 1000), sentence="JobException", cause=LOST)
        for ago in seconds_ago
    )


@pytest.mark.parametrize(
    ("remembered", "seen", "outcome", "words"),
    [
        (notes(), stream(), "passed", "the job did not fail within the last 10 min"),
        (notes(), stream(failures=failures(601, 900, 1200)), "passed", "did not fail"),
        (
            notes(),
            stream(failures=failures(40)),
            "WARN",
            f"the job failed or was lost once within the last 10 min, 40 s ago the last time: "
            f"{LOST}",
        ),
        (notes(), stream(failures=failures(40, 300, 700)), "WARN", "lost 2 times"),
        (notes(), stream(failures=failures(40, 300, 599)), "ERROR", "lost 3 times"),
        # Each new job begins without failures of its own.
        (notes(revived=(T - 500, T - 300, T - 7)), stream(), "ERROR", "3 times within"),
        (notes(revived=(T - 7,)), stream(), "WARN", "7 s ago the last time"),
        (notes(revived=(T - 500, T - 300)), stream(failures=failures(40)), "ERROR", LOST),
        (notes(revived=(T - 601,)), NO_JOB, "passed", "did not fail"),
        (notes(given_up="in vain"), NO_JOB, "ERROR", "the job does not come back: in vain"),
        (notes(given_up="in vain"), stream(job("FAILED")), "ERROR", "come back: in vain"),
        (notes(given_up="in vain"), stream(), "passed", "did not fail"),  # a person's, by hand
        (notes(), AWAY, "WARN", "nothing is known"),
        (AWAY, stream(), "WARN", "nothing is known"),
    ],
)
def test_restarts(
    remembered: JobNotes | Trouble, seen: StreamGlance | Trouble, outcome: str, words: str
) -> None:
    verdict = judge_restarts(remembered, seen, NOW)
    assert verdict.outcome == outcome
    assert words in verdict.sentence


def test_long_cause_is_cut() -> None:
    long = (Failure(at_ms=round(T * 1000), sentence="", cause="x" * 5000),)
    assert len(judge_restarts(notes(), stream(failures=long), NOW).sentence) < 300
