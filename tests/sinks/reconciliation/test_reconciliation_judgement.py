"""Reconciling: what is missing, there twice or without cause, and that nothing at all balances."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from sinks.reconciliation.counts import OffsetCounts
from sinks.reconciliation.judgement import SHOWN, Evidence, Finding, judge

STEPS = (
    "input -> decisions + dead letters",
    "decisions -> Iceberg",
    "dead letters -> Iceberg",
    "flagged decisions -> alerts",
    "alerts -> Elasticsearch",
)
STRETCH = {0: range(10), 1: range(100, 110)}


def seen(*places: tuple[int, int]) -> OffsetCounts:
    counts = OffsetCounts(STRETCH)
    for partition, offset in places:
        counts.add(partition, offset)
    return counts


def evidence(**changed: Any) -> Evidence:
    """Three decided, one dead letter, one alert of two revisions: everything where it belongs."""
    decided = ((0, 0), (0, 1), (1, 100))
    whole = Evidence(
        transactions=seen(*decided, (1, 101)),
        decisions=seen(*decided),
        dead_letters=seen((1, 101)),
        lake_decisions=seen(*decided),
        lake_dead_letters=seen((1, 101)),
        flagged=seen((0, 1), (1, 100)),
        alerts=seen((0, 1), (1, 100)),
        alerts_caused=frozenset({"a1"}),
        alerts_retained=frozenset({"a1", "a0"}),
        documents=Counter({"a1": 1}),
        documents_caused=frozenset({"a1"}),
    )
    return replace(whole, **changed)


def faults(found: tuple[Finding, ...]) -> dict[str, tuple[int, int, int, tuple[str, ...]]]:
    return {
        item.what: (item.missing, item.doubled, item.unexpected, item.examples)
        for item in found
        if not item.is_balanced
    }


def test_everything_once_balances_and_is_counted() -> None:
    found = judge(evidence())
    assert tuple(item.what for item in found) == STEPS
    assert faults(found) == {}
    figures = [(item.expected, item.found, item.distinct) for item in found]
    assert figures == [(4, 4, 4), (3, 3, 3), (1, 1, 1), (2, 2, 2), (1, 1, 1)]


def test_nothing_at_all_balances() -> None:
    found = judge(Evidence(**dict.fromkeys(list(Evidence.__dataclass_fields__)[:7], seen())))
    assert [(item.expected, item.found, item.is_balanced) for item in found] == [(0, 0, True)] * 5


CASES: dict[str, tuple[dict[str, Any], dict[str, tuple[int, int, int, tuple[str, ...]]]]] = {
    "a record without an outcome": (
        {"transactions": seen((0, 0), (0, 1), (0, 7), (1, 100), (1, 101))},
        {STEPS[0]: (1, 0, 0, ("0:7 missing",))},
    ),
    "a record with two outcomes, of which the letter is in no table": (
        {"dead_letters": seen((1, 101), (0, 1))},
        {STEPS[0]: (0, 1, 0, ("0:1 doubled",)), STEPS[2]: (1, 0, 0, ("0:1 missing",))},
    ),
    "a decision on an offset that holds no record": (
        {"decisions": seen((0, 0), (0, 1), (1, 100), (0, 9))},
        {STEPS[0]: (0, 0, 1, ("0:9 unexpected",)), STEPS[1]: (1, 0, 0, ("0:9 missing",))},
    ),
    "a table that lost one, has one twice and one too many": (
        {"lake_decisions": seen((0, 0), (1, 100), (1, 100), (1, 101))},
        {STEPS[1]: (1, 1, 1, ("0:1 missing", "1:100 doubled", "1:101 unexpected"))},
    ),
    "an empty table": (
        {"lake_dead_letters": seen()},
        {STEPS[2]: (1, 0, 0, ("1:101 missing",))},
    ),
    "a flag without its alert": (
        {"flagged": seen((0, 0), (0, 1), (1, 100))},
        {STEPS[3]: (1, 0, 0, ("0:0 missing",))},
    ),
    "a revision written twice": (
        {"alerts": seen((0, 1), (1, 100), (1, 100))},
        {STEPS[3]: (0, 1, 0, ("1:100 doubled",))},
    ),
    "an alert that no decision named": (
        {"alerts": seen((0, 0), (0, 1), (1, 100))},
        {STEPS[3]: (0, 0, 1, ("0:0 unexpected",))},
    ),
    "an alert that is not searchable": (
        {"documents": Counter(), "documents_caused": frozenset()},
        {STEPS[4]: (1, 0, 0, ("a1 missing",))},
    ),
    "an alert in the indices of two months": (
        {"documents": Counter({"a1": 2})},
        {STEPS[4]: (0, 1, 0, ("a1 doubled",))},
    ),
    "a document whose alert is not where it says": (
        {
            "documents": Counter({"a1": 1, "a8": 1}),
            "documents_caused": frozenset({"a1", "a8"}),
        },
        {STEPS[4]: (0, 0, 1, ("a8 unexpected",))},
    ),
    "a record of somebody else in our topics": (
        {"unreadable": ("decisions 0:3",)},
        {"records that are not ours": (0, 0, 1, ("decisions 0:3 unexpected",))},
    ),
}


@pytest.mark.parametrize(("changed", "expected"), CASES.values(), ids=CASES.keys())
def test_what_is_wrong_is_named_at_its_step(
    changed: dict[str, Any], expected: dict[str, tuple[int, int, int, tuple[str, ...]]]
) -> None:
    assert faults(judge(evidence(**changed))) == expected


def test_alert_of_a_closed_month_is_neither_there_nor_missing() -> None:
    """It was once counted as lost, though nobody could have seen it."""
    closed = {"alerts_closed": frozenset({"a1"}), "closed_months": ("fraud-alerts-2026.10",)}
    [*_, hidden] = judge(evidence(documents=Counter(), documents_caused=frozenset(), **closed))
    assert (hidden.expected, hidden.missing, hidden.unjudged) == (0, 0, 1)
    assert hidden.is_balanced
    assert hidden.note == (
        "1 alert cannot be judged: fraud-alerts-2026.10 is closed: its alerts are in no list and "
        "no count. `POST /fraud-alerts-2026.10/_open` opens it"
    )
    # The others are judged as ever.
    caused = frozenset({"a1", "a2"})
    [*_, other] = judge(evidence(alerts_caused=caused, documents=Counter(), **closed))
    assert (other.expected, other.missing, other.examples) == (1, 1, ("a2 missing",))


def test_what_came_after_the_stretch_does_not_count() -> None:
    """A later revision of the same alert, a later alert, and its document: the stream runs on."""
    documents = {"a1", "a7"}
    found = judge(
        evidence(
            alerts_retained=frozenset(documents),
            documents=Counter(documents),
            documents_caused=frozenset(documents),
        )
    )
    assert faults(found) == {}
    assert (found[4].expected, found[4].found, found[4].distinct) == (1, 1, 1)


def test_an_old_document_whose_alert_has_expired_is_no_fault() -> None:
    assert faults(judge(evidence(documents=Counter({"a1": 1, "of last month": 1})))) == {}


def test_examples_are_few_and_counts_are_whole() -> None:
    stretch = {0: range(200_000)}
    many, none = OffsetCounts(stretch), OffsetCounts(stretch)
    for offset in stretch[0]:
        many.add(0, offset)
    rest = dict.fromkeys(list(Evidence.__dataclass_fields__)[1:7], none)
    found = judge(Evidence(transactions=many, **rest))[0]
    assert (found.expected, found.found, found.missing, found.doubled) == (200_000, 0, 200_000, 0)
    assert found.examples == tuple(f"0:{offset} missing" for offset in range(SHOWN))
