"""A rule set as SQL for one engine: what fires, why, the score and the band."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.expressions.rendering import Dialect, number_literal, render, render_condition
from pipelines.rules.judging import SCORE_STEPS
from pipelines.rules.sentences import render_sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.rules.ruleset import Ruleset, State


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRule:
    """One rule as SQL expressions over named columns."""

    id: str
    state: State
    weight: float
    fires: str
    """BOOLEAN, never NULL."""
    observed: str
    limit: str
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CompiledRuleset:
    """The evaluated rules of a set, in its order."""

    ruleset: Ruleset
    rules: tuple[CompiledRule, ...]

    def score_sql(self, fired: Sequence[str]) -> str:
        """The score as DOUBLE, from a BOOLEAN for each rule; shadow rules add nothing."""
        active = [
            (name, rule.weight)
            for name, rule in zip(fired, self.rules, strict=True)
            if rule.state == "active"
        ]
        if self.ruleset.combine == "sum":
            terms = [f"CASE WHEN {n} THEN {number_literal(w)} ELSE 0e0 END" for n, w in active]
            score = " + ".join(terms) or "0e0"
        else:
            rests = [f"CASE WHEN {n} THEN {number_literal(1 - w)} ELSE 1e0 END" for n, w in active]
            score = f"1e0 - {' * '.join(f'({rest})' for rest in rests) or '1e0'}"
        steps = number_literal(SCORE_STEPS)
        return f"FLOOR(({score}) * {steps} + 5e-1) / {steps}"

    def band_sql(self, score: str) -> str:
        """The band, from the score."""
        return (
            f"CASE WHEN {score} >= {number_literal(self.ruleset.block_at)} THEN 'block' "
            f"WHEN {score} >= {number_literal(self.ruleset.review_at)} THEN 'review' "
            "ELSE 'allow' END"
        )


def compile_rules(ruleset: Ruleset, dialect: Dialect) -> CompiledRuleset:
    """The evaluated rules of a set in one dialect."""
    return CompiledRuleset(
        ruleset=ruleset,
        rules=tuple(
            CompiledRule(
                id=rule.id,
                state=rule.state,
                weight=rule.weight,
                fires=render_condition(rule.condition, dialect),
                observed=render(rule.observed, dialect),
                limit=render(rule.limit, dialect),
                because=render_sentence(rule.sentence, dialect),
            )
            for rule in ruleset.evaluated
        ),
    )
