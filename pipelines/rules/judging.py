"""What a rule set says of one row, in plain Python: the slow oracle of the compiled SQL."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipelines.expressions.interpret import fires

if TYPE_CHECKING:
    from collections.abc import Collection

    from pipelines.expressions.interpret import Row
    from pipelines.rules.ruleset import Ruleset

Band = Literal["allow", "review", "block"]

SCORE_STEPS = 1e9
"""Scores are whole billionths: 0.1 is then 0.1, and a weight equal to a threshold reaches it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """The evaluated rules that fired, shadow ones too; the score of the active ones; its band."""

    fired: tuple[str, ...]
    score: float
    band: Band


def judge(ruleset: Ruleset, row: Row) -> Judgement:
    """``row`` has a value, None for NULL, for every column the evaluated rules use."""
    fired = tuple(rule.id for rule in ruleset.evaluated if fires(rule.condition, row))
    score = score_of(ruleset, fired)
    return Judgement(fired=fired, score=score, band=band_of(ruleset, score))


def score_of(ruleset: Ruleset, fired: Collection[str]) -> float:
    """The score when these rules have fired; only active ones count.

    ``sum`` adds the weights. ``noisy_or`` takes each weight as the chance that the rule is right,
    and gives the chance that any of them is: 1 - (1 - w1) * (1 - w2) ...
    """
    active = [rule for rule in ruleset.evaluated if rule.state == "active"]
    if ruleset.combine == "sum":
        score = sum((rule.weight for rule in active if rule.id in fired), start=0.0)
    else:
        score = 1.0 - math.prod(1.0 - rule.weight for rule in active if rule.id in fired)
    return math.floor(score * SCORE_STEPS + 0.5) / SCORE_STEPS


def band_of(ruleset: Ruleset, score: float) -> Band:
    """The band of a score."""
    if score >= ruleset.block_at:
        return "block"
    return "review" if score >= ruleset.review_at else "allow"
