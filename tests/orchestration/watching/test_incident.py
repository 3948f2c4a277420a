"""When the job is started again: twice at most, never against a person, never in a loop."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from glances import AWAY, NO_JOB, NOW, glance, job, notes, stream

from orchestration.watching.cursor import Cursor
from orchestration.watching.incident import assess

if TYPE_CHECKING:
    from orchestration.watching.glance import Glance

T = NOW.timestamp()
KEY = "a1:1600000"  # its id, and when it ended: started at 1,000,000 ms, lived 600,000


@pytest.mark.parametrize(
    ("seen", "key"),
    [
        (glance(), None),
        (glance(stream=stream(job("FAILED"))), KEY),
        (glance(stream=stream(job("CANCELED"))), KEY),
        (glance(stream=stream(job("FINISHED"))), KEY),
        (glance(stream=stream(job("FAILED")), notes=notes(published=AWAY)), KEY),
        (glance(stream=stream(job("CANCELLING"))), None),
        (glance(stream=stream(job("RESTARTING"))), None),
        (glance(stream=stream(job("FINISHED")), notes=notes(is_stopped=True)), None),
        (glance(stream=stream(job("FAILED")), notes=notes(is_being_changed=True)), None),
        (glance(stream=stream(job("FAILED")), notes=notes(given_up="5 starts in vain")), None),
        (glance(stream=stream(job("FAILED")), notes=notes(deployed_id=None)), None),
        (glance(stream=AWAY), None),
        (glance(stream=stream(job("FAILED")), notes=AWAY), None),
        (glance(stream=NO_JOB), None),  # the keeper is given a minute
    ],
)
def test_job_that_ended_is_repaired_and_no_other(seen: Glance, key: str | None) -> None:
    assert assess(seen, Cursor()).repair_key == key


def test_job_that_the_keeper_has_given_up_is_left_to_a_person() -> None:
    """Keeper and watch handed it to each other: five starts for each repair, every hour."""
    for seen in (stream(job("FAILED")), NO_JOB):
        found = assess(
            glance(stream=seen, notes=notes(given_up="5 starts in vain")),
            Cursor(absent_since=T - 600),
        )
        assert (found.repair_key, found.sentence) == (None, "the job is lost: 5 starts in vain")


def test_unknown_job_is_repaired_when_it_still_is_at_the_next_look() -> None:
    seen = glance(stream=NO_JOB)
    first = assess(seen, Cursor())
    assert (first.repair_key, first.is_absent) == (None, True)
    assert assess(seen, Cursor(absent_since=T - 30)).repair_key is None
    assert assess(seen, Cursor(absent_since=T - 60)).repair_key == "a1:unknown"
    # An older job of the name, not the one that was deployed last, says nothing of it.
    other = glance(stream=stream(job("FINISHED", job_id="b2")))
    assert assess(other, Cursor(absent_since=T - 60)).repair_key == "a1:unknown"


def test_end_is_repaired_once_as_long_as_that_may_help() -> None:
    seen = glance(stream=stream(job("FAILED")))
    known = assess(seen, Cursor(repaired=KEY, repairs=(T - 60,)))
    assert known.repair_key is None
    assert "its repair was asked for" in known.sentence
    later = glance(stream=stream(job("FAILED", duration_ms=700_000)))
    assert assess(later, Cursor(repaired=KEY, repairs=(T - 60,))).repair_key == "a1:1700000"


def test_repair_that_failed_is_tried_once_more_and_then_left_to_a_person() -> None:
    """A repair that met a server which was away was the only one."""
    seen = glance(stream=stream(job("FAILED")))
    assert assess(seen, Cursor(repaired=KEY, repairs=(T - 290,))).repair_key is None
    again = assess(seen, Cursor(repaired=KEY, repairs=(T - 301,))).repair_key
    assert again == f"{KEY}:again"

    waits = assess(seen, Cursor(repaired=again, repairs=(T - 400, T - 60)))
    assert (waits.repair_key, "was asked for" in waits.sentence) == (None, True)
    for repairs in ((T - 900, T - 500), (), (T - 3500,)):
        given_up = assess(seen, Cursor(repaired=again, repairs=repairs))
        assert given_up.repair_key is None
        assert "a person must look" in given_up.sentence
    # Not beyond what an hour may have, whichever jobs it was for.
    assert assess(seen, Cursor(repaired=KEY, repairs=(T - 900, T - 500))).repair_key is None


def test_after_two_repairs_within_an_hour_a_person_is_called() -> None:
    seen = glance(stream=stream(job("FAILED")))
    twice = Cursor(repaired="old", repairs=(T - 1800, T - 60))
    found = assess(seen, twice)
    assert found.repair_key is None
    assert "a person must look" in found.sentence
    later = replace(seen, at=NOW + timedelta(minutes=31))
    assert assess(later, twice).repair_key == KEY
