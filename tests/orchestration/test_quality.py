"""What the checks say of what is stored: tables of counts and outcomes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from orchestration.quality import (
    judge_alert_ids,
    judge_columns,
    judge_doubles,
    judge_flag_rate,
    judge_rules_fired,
    judge_scores,
    stability_index,
)
from sinks.lakehouse.watch.behaviour import Behaviour, Counts
from sinks.lakehouse.watch.columns import ColumnDifference
from sinks.lakehouse.watch.doubles import Doubles

WEEK = Counts(
    decisions=70_000,
    bands={"allow": 69_300, "review": 700},
    scores={"0": 69_300, "5": 700},
    rules={"far": 700, "rare": 7},
)


def lately(**other: object) -> Behaviour:
    plain = {
        "decisions": 10_000,
        "bands": {"allow": 9_900, "review": 100},
        "scores": {"0": 9_900, "5": 100},
        "rules": {"far": 100, "rare": 1},
    }
    recent = Counts(**{**plain, **other})  # type: ignore[arg-type]
    return Behaviour(ruleset="r@1", recent=recent, reference=WEEK)


FEW = Behaviour(ruleset="r@1", recent=Counts(decisions=999), reference=WEEK)
NEW = Behaviour(ruleset="r@2", recent=WEEK, reference=Counts(decisions=999))
OLD_ENOUGH = Behaviour(ruleset="r@2", recent=WEEK, reference=replace(WEEK, decisions=1_000))


def test_stability_index_is_what_the_formula_gives() -> None:
    # (0.4 - 0.1) ln(0.4 / 0.1) + (0.6 - 0.9) ln(0.6 / 0.9) = 0.4159 + 0.1216 = 0.5375
    found = stability_index({"a": 900_000, "b": 100_000}, {"a": 600_000, "b": 400_000})
    assert found == pytest.approx(0.5375, abs=1e-4)
    assert stability_index({}, {}) == 0


@pytest.mark.parametrize(
    ("found", "outcome", "words"),
    [
        (lately(), "passed", "moved by 0.000"),
        (lately(scores={"0": 6_000, "9": 4_000}), "WARN", "above 0.25"),
        (FEW, "passed", "999 decisions within a day are too few to judge"),
        (NEW, "WARN", "scores cannot be judged until 1,000 decisions of r@2 are older than a day"),
        (OLD_ENOUGH, "passed", "scores of r@2 moved by 0.000"),
    ],
)
def test_scores(found: Behaviour, outcome: str, words: str) -> None:
    verdict = judge_scores(found)
    assert verdict.outcome == outcome
    assert words in verdict.sentence


@pytest.mark.parametrize(
    ("rules", "outcome", "words"),
    [
        ({"far": 100, "rare": 1}, "passed", "2 rules fire as often"),
        ({"far": 301, "rare": 1}, "WARN", "1 of 2 rules fire otherwise: far"),
        ({"far": 300, "rare": 1}, "passed", "as often"),
        ({"far": 33, "rare": 1}, "WARN", "far"),  # less than a third of the 100 expected
        ({"far": 100, "rare": 29}, "passed", "as often"),  # thirty times more, and still few
        ({"far": 100, "rare": 1, "fresh": 30}, "WARN", "1 of 3 rules fire otherwise: fresh"),
        ({}, "WARN", "1 of 2 rules fire otherwise: far"),
    ],
)
def test_rules_fired(rules: dict[str, int], outcome: str, words: str) -> None:
    verdict = judge_rules_fired(lately(rules=rules))
    assert verdict.outcome == outcome
    assert words in verdict.sentence


def test_rules_of_a_new_rule_set_are_named_as_not_judged() -> None:
    verdict = judge_rules_fired(NEW)
    assert verdict.outcome == "WARN"
    assert verdict.sentence == (
        "the rules (far, rare) cannot be judged until 1,000 decisions of r@2 are older than a day: "
        "999 are, of eight days; 70,000 are newer"
    )
    assert judge_rules_fired(FEW).passed


def test_rates_of_all_rules_are_shown_and_what_moved_stands_out() -> None:
    table = judge_rules_fired(lately(rules={"far": 400})).markdown["rates"]
    assert "| **far** | 1.000% | 4.000% |" in table
    assert "| rare | 0.010% | 0.000% |" in table


@pytest.mark.parametrize(
    ("flagged", "outcome", "words"),
    [
        (100, "passed", "100 of 10,000 decisions of the last day are flagged (1.00%)"),
        (4, "WARN", "outside of 0.05% to 10%"),
        (5, "passed", "0.05%"),
        (1_000, "passed", "10.00%"),
        (1_001, "WARN", "outside"),
        (3_001, "ERROR", "a rule flags what is everyday"),
    ],
)
def test_flag_rate(flagged: int, outcome: str, words: str) -> None:
    found = lately(bands={"allow": 10_000 - flagged, "block": flagged})
    verdict = judge_flag_rate(found)
    assert verdict.outcome == outcome
    assert words in verdict.sentence
    assert judge_flag_rate(FEW).passed


def test_doubles_are_named_with_the_query_that_shows_them() -> None:
    assert judge_doubles(Doubles(decisions=9, doubled=0, examples=())).passed
    verdict = judge_doubles(Doubles(decisions=9, doubled=1, examples=("ab",)))
    assert verdict.outcome == "ERROR"
    assert verdict.sentence == "1 of 9 decisions of two days stand there twice"
    assert "decision_id in ('ab')" in verdict.markdown["to see them"]


@pytest.mark.parametrize(
    ("found", "outcome", "words"),
    [
        ([], "passed", "all columns are there"),
        (None, "WARN", "no tables yet"),
        (
            [ColumnDifference(table="labels", column="device_id", wrong="missing")],
            "ERROR",
            "labels.device_id (missing)",
        ),
        (
            [ColumnDifference(table="labels", column="mine", wrong="unknown")],
            "WARN",
            "labels.mine (unknown)",
        ),
    ],
)
def test_columns(found: list[ColumnDifference] | None, outcome: str, words: str) -> None:
    verdict = judge_columns(found)
    assert verdict.outcome == outcome
    assert words in verdict.sentence


def test_alert_with_two_documents_is_named() -> None:
    assert judge_alert_ids(Counter({"a": 1, "b": 1})).passed
    verdict = judge_alert_ids(Counter({"a": 1, "b": 2}))
    assert verdict.outcome == "ERROR"
    assert verdict.sentence == "1 of 2 alerts have more than one document"
    assert verdict.markdown["first ids"] == "- `b`"
