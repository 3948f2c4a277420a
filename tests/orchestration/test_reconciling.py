"""What is said of an hour: whole, late, or with what is missing named."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestration.reconciling import judge_alerted_hour, judge_stored_hour
from pipelines.ids import decision_id
from sinks.reconciliation.counts import OffsetCounts
from sinks.reconciliation.hour import HourEvidence
from sinks.reconciliation.judgement import Evidence

BEGIN = datetime(2026, 3, 1, 14, tzinfo=UTC)
LONG_AFTER = BEGIN + timedelta(hours=3)
STRETCH = {0: range(100, 110)}


def seen(*offsets: int) -> OffsetCounts:
    counts = OffsetCounts(STRETCH)
    for offset in offsets:
        counts.add(0, offset)
    return counts


ALL = range(100, 110)
LETTER = 103
DECIDED = [offset for offset in ALL if offset != LETTER]


def hour(*, waiting: int = 0, begin: datetime = BEGIN, **other: Any) -> HourEvidence:
    plain = {
        "transactions": seen(*ALL),
        "decisions": seen(*DECIDED),
        "dead_letters": seen(LETTER),
        "lake_decisions": seen(*DECIDED),
        "lake_dead_letters": seen(LETTER),
        "flagged": seen(104, 105),
        "alerts": seen(104, 105),
        "alerts_caused": frozenset({"a", "b"}),
        "alerts_retained": frozenset({"a", "b"}),
        "documents": Counter({"a": 1, "b": 1}),
    }
    evidence = Evidence(**{**plain, **other})
    return HourEvidence(begin=begin, topic="transactions", evidence=evidence, waiting=waiting)


def test_hour_that_is_whole_says_so_in_numbers() -> None:
    verdict = judge_stored_hour(hour(), now=LONG_AFTER)
    assert verdict.passed
    assert verdict.sentence == (
        "0 of 10 transactions' outcomes, 0 of 9 decisions in Iceberg, "
        "0 of 1 dead letters in Iceberg missing for 14:00-15:00 UTC"
    )
    assert verdict.figures["transactions"] == 10
    alerted = judge_alerted_hour(hour(), now=LONG_AFTER)
    assert alerted.passed
    assert alerted.figures["flagged decisions"] == 2


def test_row_that_is_missing_is_named_with_the_query_that_shows_it() -> None:
    stored = seen(*(offset for offset in DECIDED if offset != 107))
    verdict = judge_stored_hour(hour(lake_decisions=stored), now=LONG_AFTER)
    assert verdict.outcome == "ERROR"
    assert verdict.sentence == "1 of 9 decisions in Iceberg missing for 14:00-15:00 UTC"
    lost = decision_id(topic="transactions", partition=0, offset=107)
    assert f"| missing | `{lost}` | transactions 0:107 |" in verdict.markdown["first faults"]
    assert "(source_partition, source_offset) in ((0, 107))" in verdict.markdown["to see them"]


def test_alert_without_a_document_is_named_with_its_command() -> None:
    verdict = judge_alerted_hour(hour(documents=Counter({"a": 1})), now=LONG_AFTER)
    assert verdict.outcome == "ERROR"
    assert "1 of 2 alerts in Elasticsearch missing" in verdict.sentence
    assert "fraudlake alerts show b" in verdict.markdown["the alerts"]


def test_alert_of_a_closed_month_is_no_fault_and_is_told_of() -> None:
    verdict = judge_alerted_hour(
        hour(
            documents=Counter({"a": 1}),
            alerts_closed=frozenset({"b"}),
            closed_months=("fraud-alerts-2026.02",),
        ),
        now=LONG_AFTER,
    )
    assert verdict.passed
    assert verdict.figures["cannot be judged"] == 1
    assert "0 of 1 alerts in Elasticsearch missing for 14:00-15:00 UTC. 1 alert" in verdict.sentence
    assert "fraud-alerts-2026.02 is closed" in verdict.sentence


@pytest.mark.parametrize(
    ("other", "now", "outcome"),
    [
        # Undecided: late for ten minutes, then missing, unless the job has not come to it.
        ({"decisions": seen(*DECIDED[:-1])}, BEGIN + timedelta(minutes=69), "WARN"),
        ({"decisions": seen(*DECIDED[:-1])}, BEGIN + timedelta(minutes=71), "ERROR"),
        ({"decisions": seen(*DECIDED[:-1]), "waiting": 2}, LONG_AFTER, "WARN"),
        # Two faults, one that waits: the other is lost.
        ({"decisions": seen(*DECIDED[:-2]), "waiting": 1}, LONG_AFTER, "ERROR"),
        # A row that is missing does not come because others wait to be decided.
        ({"lake_decisions": seen(*DECIDED[:-1]), "waiting": 5}, LONG_AFTER, "ERROR"),
        # What is there twice does not become right by waiting.
        ({"lake_decisions": seen(*DECIDED, 107)}, BEGIN + timedelta(minutes=61), "ERROR"),
        ({"lake_decisions": seen(*DECIDED, 107), "waiting": 9}, LONG_AFTER, "ERROR"),
        ({"unreadable": ("decisions 0:7",)}, LONG_AFTER, "ERROR"),
        ({}, BEGIN + timedelta(minutes=61), "passed"),
    ],
)
def test_what_may_still_come_warns_and_everything_else_is_an_error(
    other: dict[str, Any], now: datetime, outcome: str
) -> None:
    decisions = other.get("decisions")
    if decisions is not None:
        other = {**other, "lake_decisions": decisions}
    assert judge_stored_hour(hour(**other), now=now).outcome == outcome


def test_hour_without_transactions_is_whole_while_kafka_would_still_hold_them() -> None:
    nothing = dict.fromkeys(
        ("transactions", "decisions", "dead_letters", "lake_decisions", "lake_dead_letters"), seen()
    )
    verdict = judge_stored_hour(hour(**nothing), now=LONG_AFTER)
    assert (verdict.outcome, verdict.sentence) == ("passed", "no transactions for 14:00-15:00 UTC")
    later = judge_stored_hour(hour(**nothing), now=BEGIN + timedelta(days=8))
    assert later.outcome == "WARN"
    assert "holds nothing of 14:00-15:00 UTC any more" in later.sentence
