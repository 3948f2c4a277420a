"""Score and band of a row: in plain Python, and by the SQL that DuckDB runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb
import pytest
from rule_files import HEAD, load, rule

from pipelines.rules import compile_rules, judge

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.rules import Judgement, Ruleset

NOISY = HEAD
SUM = HEAD.replace("noisy_or", "sum").replace("0.5", "40").replace("0.8", "70")


def text_of(head: str, weights: list[float], states: list[str] | None = None) -> str:
    """A rule for each weight, the n-th of which fires when amount > n."""
    given = states or ["active"] * len(weights)
    return head + "".join(
        rule(f"r{n}", weight=weight, state=state, when=f"amount > {n}", because="so")
        for n, (weight, state) in enumerate(zip(weights, given, strict=True))
    )


def judge_in_duckdb(ruleset: Ruleset, amount: float | None) -> tuple[list[str], float, str]:
    compiled = compile_rules(ruleset, "duckdb")
    flags = ", ".join(f'{item.fires} AS "{item.id}"' for item in compiled.rules)
    score = compiled.score_sql([f'"{item.id}"' for item in compiled.rules])
    names = ", ".join(f'"{item.id}"' for item in compiled.rules)
    with duckdb.connect() as connection:
        row = connection.execute(
            f"SELECT [{names}], {score} AS score, {compiled.band_sql('score')} FROM "
            f"(SELECT {flags} FROM (SELECT ?::DOUBLE AS amount))",
            [amount],
        ).fetchone()
    assert row is not None
    fired = [item.id for item, has_fired in zip(compiled.rules, row[0], strict=True) if has_fired]
    return fired, row[1], row[2]


def check(ruleset: Ruleset, amount: float | None) -> Judgement:
    """The judgement, after both ways were found to agree on it."""
    judged = judge(ruleset, {"amount": amount})
    assert judge_in_duckdb(ruleset, amount) == (list(judged.fired), judged.score, judged.band)
    return judged


@pytest.mark.parametrize(
    ("head", "weights", "score", "band"),
    [
        (NOISY, [0.5], 0.5, "review"),
        (NOISY, [0.5, 0.5], 0.75, "review"),  # 1 - 0.5 * 0.5
        (NOISY, [0.5, 0.6], 0.8, "block"),  # 1 - 0.5 * 0.4
        (NOISY, [0.1, 0.2, 0.3], 0.496, "allow"),  # 1 - 0.9 * 0.8 * 0.7
        (NOISY, [1, 0.3], 1.0, "block"),
        (SUM, [40], 40.0, "review"),
        (SUM, [39.9], 39.9, "allow"),
        (SUM, [40, 30], 70.0, "block"),
        (SUM, [0.1, 0.2], 0.3, "allow"),  # in bare doubles: 0.30000000000000004
    ],
)
def test_weights_of_rules_that_fire_make_score_and_band(
    tmp_path: Path, head: str, weights: list[float], score: float, band: str
) -> None:
    judged = check(load(tmp_path, text_of(head, weights)), 1000.0)
    assert len(judged.fired) == len(weights)
    assert (judged.score, judged.band) == (score, band)


@pytest.mark.parametrize("weight", [0.1, 0.2, 0.3, 0.7, 0.9])
def test_a_rule_alone_reaches_the_threshold_of_its_own_weight(
    tmp_path: Path, weight: float
) -> None:
    """In bare doubles 1 - (1 - 0.1) is less than 0.1, and the rule would never raise an alert."""
    head = HEAD.replace("0.5", str(weight)).replace("0.8", "0.95")
    assert check(load(tmp_path, text_of(head, [weight])), 5.0).band == "review"


def test_only_rules_that_fire_count(tmp_path: Path) -> None:
    ruleset = load(tmp_path, text_of(SUM, [40, 30, 5]))
    judged = check(ruleset, 1.5)
    assert (judged.fired, judged.score, judged.band) == (("r0", "r1"), 70.0, "block")


def test_nothing_fires_on_unknown(tmp_path: Path) -> None:
    for head in (SUM, NOISY.replace("0.5", "0.4")):
        weights = [0.5, 0.5]
        judged = check(load(tmp_path, text_of(head, weights)), None)
        assert (judged.fired, judged.score, judged.band) == ((), 0.0, "allow")


@pytest.mark.parametrize("head", [NOISY, SUM.replace("40", "0.4").replace("70", "0.9")])
def test_shadow_rules_are_told_and_never_count(tmp_path: Path, head: str) -> None:
    states = ["shadow", "active", "paused", "draft"]
    judged = check(load(tmp_path, text_of(head, [0.9, 0.5, 0.9, 0.9], states)), 1000.0)
    assert (judged.fired, judged.score, judged.band) == (("r0", "r1"), 0.5, "review")


@pytest.mark.parametrize("head", [NOISY, SUM])
def test_rule_set_of_shadow_rules_alone_always_allows(tmp_path: Path, head: str) -> None:
    judged = check(load(tmp_path, text_of(head, [0.9], ["shadow"])), 1000.0)
    assert (judged.fired, judged.score, judged.band) == (("r0",), 0.0, "allow")
