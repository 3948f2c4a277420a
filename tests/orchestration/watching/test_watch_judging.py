"""What each check says of a look: tables of looks and outcomes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from glances import AWAY, NO_JOB, broker, head, job, notes, stream

from orchestration.watching.checks import judge_template
from orchestration.watching.glance import Late, Trouble, count_late
from orchestration.watching.judging import (
    judge_checkpoint_age,
    judge_dead_letters,
    judge_lag,
    judge_readable,
    judge_rules,
    judge_running,
    judge_showing,
    judge_storing,
)
from sinks.alerts.glance import IndexGlance

if TYPE_CHECKING:
    from orchestration.watching.glance import BrokerGlance, JobNotes, StreamGlance


@pytest.mark.parametrize(
    ("remembered", "seen", "outcome", "words"),
    [
        (notes(), stream(), "passed", "job a1 RUNNING for 10 min"),
        (notes(), stream(restarts=2), "passed", "started anew 2 times by Flink"),
        (notes(), AWAY, "ERROR", "no Flink cluster answers"),
        (AWAY, stream(), "ERROR", "no Flink cluster answers"),
        (notes(), stream(job("RESTARTING")), "WARN", "Flink itself is bringing it back"),
        (notes(), stream(job("FAILED")), "ERROR", "job a1 is FAILED, after 10 min"),
        (notes(), stream(job("CANCELED")), "ERROR", "CANCELED"),
        (notes(is_stopped=True), stream(job("FINISHED")), "WARN", "fraudlake job submit"),
        (notes(is_being_changed=True), NO_JOB, "WARN", "at this moment"),
        (notes(deployed_id=None), NO_JOB, "WARN", "never|ever deployed"),
        (notes(), NO_JOB, "ERROR", "does not know job a1"),
        (notes(published=Trouble(sentence="damaged")), stream(), "passed", "job a1 RUNNING"),
    ],
)
def test_running(
    remembered: JobNotes | Trouble, seen: StreamGlance | Trouble, outcome: str, words: str
) -> None:
    verdict = judge_running(remembered, seen)
    assert verdict.outcome == outcome
    assert any(one in verdict.sentence for one in words.split("|"))


@pytest.mark.parametrize(
    ("seen", "outcome", "words"),
    [
        (stream(age_s=8.4), "passed", "newest checkpoint 8 s old, 2.5 MB"),
        (stream(age_s=60), "passed", "60 s old"),
        (stream(age_s=61), "WARN", "61 s old"),
        (stream(age_s=301), "ERROR", "5 min old, 2.5 MB: no decision has left"),
        (
            stream(job(duration_ms=9_000), age_s=None),
            "passed",
            "no checkpoint yet, running for 9 s",
        ),
        (stream(job(duration_ms=400_000), age_s=None), "ERROR", "running for 7 min"),
        (stream(job("FAILED")), "WARN", "no running job"),
        (NO_JOB, "WARN", "no running job"),
        (AWAY, "WARN", "nothing is known"),
    ],
)
def test_checkpoint_age(seen: StreamGlance | Trouble, outcome: str, words: str) -> None:
    verdict = judge_checkpoint_age(seen)
    assert verdict.outcome == outcome
    assert words in verdict.sentence


@pytest.mark.parametrize(
    ("seen", "outcome", "words"),
    [
        (broker(), "passed", "12 transactions wait to be decided"),
        (broker(job_lag=10_000), "passed", "10,000 transactions"),
        (broker(job_lag=10_001), "WARN", "above 10,000"),
        (broker(job_lag=200_001), "ERROR", "above 200,000"),
        (AWAY, "WARN", "nothing is known"),
    ],
)
def test_lag(seen: BrokerGlance | Trouble, outcome: str, words: str) -> None:
    verdict = judge_lag(seen)
    assert verdict.outcome == outcome
    assert words in verdict.sentence


@pytest.mark.parametrize(
    ("letters", "transactions", "outcome", "words"),
    [
        (0, 0, "passed", "too few to judge"),
        (19, 19, "passed", "too few to judge"),
        (20, 40, "passed", "too few to judge"),
        (20, 39, "ERROR", "more than half"),
        (99, 99, "ERROR", "more than half"),
        (10, 1000, "passed", "1.00%"),
        (11, 1000, "WARN", "1.1%, above 1%"),
        (101, 1000, "ERROR", "10.1%, above 10%"),
    ],
)
def test_dead_letters(letters: int, transactions: int, outcome: str, words: str) -> None:
    seen = broker(letters_last_hour=letters, transactions_last_hour=transactions)
    verdict = judge_dead_letters(seen)
    assert verdict.outcome == outcome
    assert words in verdict.sentence


@pytest.mark.parametrize(
    ("hidden", "outcome", "words"),
    [
        (Late(late=0, too_late=0), "passed", "nothing that the job wrote waits"),
        (Late(late=1_200, too_late=0), "WARN", "1,200 records of the job stand behind an open"),
        (Late(late=1_200, too_late=7), "ERROR", "7 records"),
    ],
)
def test_what_the_job_wrote_can_be_read(hidden: Late, outcome: str, words: str) -> None:
    verdict = judge_readable(broker(hidden=hidden))
    assert verdict.outcome == outcome
    assert words in verdict.sentence
    assert judge_readable(AWAY).outcome == "WARN"


DAMAGED = Trouble(sentence="active.json does not say which rule set is in force")


@pytest.mark.parametrize(
    ("remembered", "seen", "outcome", "words"),
    [
        (notes(), stream(), "passed", "decides by r@1"),
        (notes(published="r@2"), stream(), "WARN", "decides by r@1, and r@2 is in force"),
        (notes(published=None), stream(), "passed", "no rule set was published"),
        (notes(published=DAMAGED), stream(), "WARN", "active.json does not say which"),
        (notes(), stream(job("FAILED")), "WARN", "no job runs; r@1 is in force"),
        (notes(), AWAY, "WARN", "nothing is known"),
    ],
)
def test_rules_of_the_job(
    remembered: JobNotes, seen: StreamGlance | Trouble, outcome: str, words: str
) -> None:
    verdict = judge_rules(remembered, seen)
    assert verdict.outcome == outcome
    assert words in verdict.sentence


@pytest.mark.parametrize(("has_template", "outcome"), [(True, "passed"), (False, "ERROR")])
def test_template(has_template: bool, outcome: str) -> None:
    seen = IndexGlance(alerts=0, has_template=has_template)
    assert judge_template(seen).outcome == outcome
    assert judge_template(AWAY).outcome == "WARN"


@pytest.mark.parametrize(
    ("stored", "outcome", "words"),
    [
        ({0: 990}, "passed", "0 decisions wait to be stored for more than 5 min"),
        ({0: 900}, "passed", "0 decisions"),
        ({0: 899}, "WARN", "1 decisions wait to be stored for more than 5 min"),
        ({0: 790}, "ERROR", "10 decisions wait to be stored for more than 15 min"),
        ({}, "ERROR", "800 decisions"),
    ],
)
def test_storing(stored: dict[int, int], outcome: str, words: str) -> None:
    # 900 were there five minutes ago, 800 a quarter of an hour ago.
    verdict = judge_storing(broker(), [replace(head(), next_offsets=stored)])
    assert verdict.outcome == outcome
    assert words in verdict.sentence


def test_few_records_of_each_partition_are_as_late_as_many() -> None:
    # Alerts are rare: ten of each partition are all that a dead sink may have before it.
    ten = dict.fromkeys(range(4), 10)
    assert count_late((ten, ten), {}) == Late(late=40, too_late=40)
    assert count_late((ten, ten), ten) == Late(late=0, too_late=0)


def test_sink_of_which_nothing_is_known_warns() -> None:
    assert judge_storing(AWAY, [head()]).outcome == "WARN"
    assert judge_storing(broker(), AWAY).outcome == "WARN"
    assert judge_showing(AWAY).outcome == "WARN"


@pytest.mark.parametrize(
    ("late", "too_late", "outcome"), [(0, 0, "passed"), (3, 0, "WARN"), (3, 1, "ERROR")]
)
def test_showing(late: int, too_late: int, outcome: str) -> None:
    verdict = judge_showing(broker(alerts_late=Late(late=late, too_late=too_late)))
    assert verdict.outcome == outcome
