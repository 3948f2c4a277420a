"""The rule sets that come with the product: their rules, examples and sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rule_files import FEATURES, HEAD, load, rule

from pipelines.expressions.interpret import fires
from pipelines.rules import (
    example_row,
    failing_examples,
    judge,
    load_ruleset,
    shipped_rulesets,
)
from pipelines.rules.sentences import write_sentence

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("name", sorted(shipped_rulesets()))
def test_every_rule_has_an_example_that_fires_and_a_near_miss(name: str) -> None:
    ruleset = load_ruleset(name, FEATURES)
    assert failing_examples(ruleset) == ()
    for item in ruleset.rules:
        assert {example.fires for example in item.examples} == {True, False}, item.id


def test_example_that_does_not_hold_is_found(tmp_path: Path) -> None:
    more = "".join(
        f"[[rule.example]]\ngiven = {{ base_amount = {amount} }}\nfires = true\n"
        for amount in (201, 200)
    )
    ruleset = load(tmp_path, HEAD + rule(more=more))
    ((item, example),) = failing_examples(ruleset)
    assert (item.id, example.line) == ("big", 17)


def test_example_has_defaults_for_what_is_never_null(tmp_path: Path) -> None:
    more = "[[rule.example]]\ngiven = {}\nfires = true\n"
    when = "kind = 'purchase' and status = 'approved' and channel is null"
    (item,) = load(tmp_path, HEAD + rule(when=when, because="so", more=more)).rules
    assert fires(item.condition, example_row(item, item.examples[0]))


CLASSIC = {"base_amount": 10.0, "card_count_10s": 1.0, "travel_km": None, "travel_gap_min": None}


@pytest.mark.parametrize(
    ("row", "fired", "score", "band"),
    [
        ({}, (), 0, "allow"),
        ({"base_amount": 200.0}, (), 0, "allow"),
        ({"base_amount": 200.01}, ("high_amount",), 40, "review"),
        ({"card_count_10s": 3.0}, ("rapid_use",), 30, "allow"),
        ({"travel_km": 501.0, "travel_gap_min": 2.0}, ("far_jump",), 50, "review"),
        ({"travel_km": 501.0, "travel_gap_min": 2.01}, (), 0, "allow"),
        ({"travel_km": 500.0, "travel_gap_min": 1.0}, (), 0, "allow"),
        ({"base_amount": 201.0, "card_count_10s": 4.0}, ("high_amount", "rapid_use"), 70, "block"),
        (
            {"base_amount": 201.0, "travel_km": 9e3, "travel_gap_min": 0.0},
            ("high_amount", "far_jump"),
            90,
            "block",
        ),
    ],
)
def test_classic_scores_as_its_weights_say(
    row: dict[str, float], fired: tuple[str, ...], score: float, band: str
) -> None:
    judged = judge(load_ruleset("classic", FEATURES), {**CLASSIC, **row})
    assert (judged.fired, judged.score, judged.band) == (fired, score, band)


def test_baseline_asks_for_a_review_on_two_weak_signs_and_blocks_on_two_strong_ones() -> None:
    baseline = load_ruleset("baseline", FEATURES)
    quiet: dict[str, float | str | None] = dict.fromkeys(baseline.columns)
    quiet |= {"kind": "purchase", "status": "approved", "base_amount": 20.0}

    def judged(**changes: float | str) -> tuple[tuple[str, ...], float, str]:
        found = judge(baseline, {**quiet, **changes})
        return found.fired, found.score, found.band

    assert judged() == ((), 0, "allow")
    abroad = {"ip_country": "US", "billing_country": "DE"}
    assert judged(**abroad) == (("foreign_network",), 0.3, "allow")
    # 1 - 0.7 * 0.7
    expected = (("busy_day", "foreign_network"), 0.51, "review")
    assert judged(**abroad, card_count_24h=20.0) == expected
    # 1 - 0.4 * 0.5 * 0.7 = 0.86
    burst = {"card_count_1m": 6.0, "card_count_10m": 6.0}
    assert judged(**abroad, **burst) == (
        ("burst_1m", "burst_10m", "foreign_network"),
        0.86,
        "block",
    )
    # Recorded, and not counted.
    shadow = {"merchant_category": "6051", "base_amount": 201.0}
    assert judged(**shadow) == (("risky_category",), 0, "allow")


@pytest.mark.parametrize(
    ("kmh", "km", "limit", "has_fired"),
    [
        (901.0, 51.0, None, True),
        (900.0, 51.0, None, False),
        (901.0, 50.0, None, False),
        (151.0, 51.0, 150.0, True),
        (901.0, 5000.0, 950.0, False),
        (None, None, 150.0, False),
    ],
)
def test_speed_holds_each_customer_to_their_own_limit(
    kmh: float | None, km: float | None, limit: float | None, has_fired: bool
) -> None:
    row = {
        "travel_kmh": kmh,
        "travel_km": km,
        "travel_gap_min": 60.0,
        "customer_max_speed_kmh": limit,
    }
    judged = judge(load_ruleset("speed", FEATURES), row)
    assert judged.fired == (("impossible_travel",) if has_fired else ())


def test_sentences_read_well() -> None:
    row = {
        "base_amount": 250.0,
        "card_count_10s": 4.0,
        "travel_km": 877.46,
        "travel_gap_min": 119 / 60,
    }
    sentences = [
        write_sentence(item.sentence, row) for item in load_ruleset("classic", FEATURES).rules
    ]
    assert sentences == [
        "250.00 in one transaction (limit 200.00)",
        "4 transactions within 10 seconds (limit 3)",
        "877 km from the card's last place within 2.0 minutes (limit 500 km in 2)",
    ]
