"""Reconciling counts: what is missing, what is there twice, and that nothing at all balances."""

from __future__ import annotations

from collections import Counter

import pytest

from sinks.reconciliation.counts import SHOWN, Evidence, Finding, OffsetCounts, judge

STEPS = (
    "transactions -> decisions + dead letters",
    "decisions -> Iceberg",
    "dead letters -> Iceberg",
    "flagged decisions -> alerts",
    "alerts -> Elasticsearch",
)


def seen(*places: tuple[int, int]) -> OffsetCounts:
    counts = OffsetCounts()
    for partition, offset in places:
        counts.add(partition, offset)
    return counts


def evidence(**changed: OffsetCounts | Counter[str]) -> Evidence:
    """Three decided, one dead letter, one alert of two revisions: everything where it belongs."""
    decided = ((0, 0), (0, 1), (1, 0))
    whole: dict[str, OffsetCounts | Counter[str]] = {
        "transactions": seen(*decided, (1, 1)),
        "decisions": seen(*decided),
        "dead_letters": seen((1, 1)),
        "lake_decisions": seen(*decided),
        "lake_dead_letters": seen((1, 1)),
        "flagged": Counter({"a1": 2}),
        "alerts": Counter({"a1": 2}),
        "documents": Counter({"a1": 1}),
    }
    return Evidence(**{**whole, **changed})  # type: ignore[arg-type]


def unbalanced(found: tuple[Finding, ...]) -> dict[str, tuple[int, int, tuple[str, ...]]]:
    return {
        item.what: (item.missing, item.doubled, item.examples)
        for item in found
        if not item.is_balanced
    }


def test_everything_once_balances_and_is_counted() -> None:
    found = judge(evidence())
    assert tuple(item.what for item in found) == STEPS
    assert all(item.is_balanced for item in found)
    assert [(item.expected, item.found) for item in found] == [
        (4, 4),
        (3, 3),
        (1, 1),
        (1, 1),
        (1, 1),
    ]


def test_nothing_at_all_balances() -> None:
    nothing = {
        name: OffsetCounts()
        for name in (
            "transactions",
            "decisions",
            "dead_letters",
            "lake_decisions",
            "lake_dead_letters",
        )
    }
    found = judge(Evidence(**nothing))
    assert [(item.expected, item.found, item.is_balanced) for item in found] == [(0, 0, True)] * 5


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            {"transactions": seen((0, 0), (0, 1), (1, 0), (1, 1), (2, 7))},
            {STEPS[0]: (1, 0, ("2:7 missing",))},
        ),
        (
            {"dead_letters": seen((1, 1), (0, 1))},
            # Decided and refused at once is double, and its letter is in no table.
            {STEPS[0]: (0, 1, ("0:1 doubled",)), STEPS[2]: (1, 0, ("0:1 missing",))},
        ),
        (
            {"lake_decisions": seen((0, 0), (1, 0), (1, 0))},
            {STEPS[1]: (1, 1, ("0:1 missing", "1:0 doubled"))},
        ),
        ({"lake_dead_letters": OffsetCounts()}, {STEPS[2]: (1, 0, ("1:1 missing",))}),
        (
            {"flagged": Counter({"a1": 1, "a2": 1})},
            {STEPS[3]: (1, 0, ("a2 missing",))},
        ),
        ({"documents": Counter()}, {STEPS[4]: (1, 0, ("a1 missing",))}),
        ({"documents": Counter({"a1": 2})}, {STEPS[4]: (0, 1, ("a1 doubled",))}),
    ],
    ids=[
        "a record without an outcome",
        "a record with two outcomes",
        "a table that lost one and has one twice",
        "an empty table",
        "a flag without its alert",
        "an alert that is not searchable",
        "an alert in two months' indices",
    ],
)
def test_what_is_missing_or_doubled_is_named_at_its_step(
    changed: dict[str, OffsetCounts | Counter[str]],
    expected: dict[str, tuple[int, int, tuple[str, ...]]],
) -> None:
    assert unbalanced(judge(evidence(**changed))) == expected


def test_an_alert_that_grows_is_no_double() -> None:
    revisions = Counter({"a1": 40})
    assert unbalanced(judge(evidence(flagged=revisions, alerts=revisions))) == {}


def test_examples_are_few_and_counts_are_whole() -> None:
    many = seen(*((0, offset) for offset in range(5000)))
    found = judge(evidence(transactions=many, decisions=OffsetCounts(), dead_letters=seen()))[0]
    assert (found.expected, found.found, found.missing, found.doubled) == (5000, 0, 5000, 0)
    assert found.examples == tuple(f"0:{offset} missing" for offset in range(SHOWN))


def test_sightings_saturate_instead_of_starting_again_at_none() -> None:
    """A byte for each offset: the 256th sighting must not look like none."""
    counts = seen(*[(3, 2)] * 300)
    assert (counts.count(3, 2), counts.count(3, 1), counts.count(4, 2)) == (255, 0, 0)
    assert (list(counts), counts.distinct(), counts.total()) == ([(3, 2)], 1, 255)


def test_offsets_far_apart_are_kept_apart_by_partition() -> None:
    counts = seen((1, 100_000), (0, 5), (1, 3))
    assert list(counts) == [(0, 5), (1, 3), (1, 100_000)]
    assert counts.distinct() == 3
