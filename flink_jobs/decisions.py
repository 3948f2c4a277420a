"""From features to decisions and alerts: fired ► judged ► outbox, as SQL.

The rules are SQL, each evaluated once: one that fires leaves its reason, one that does not a hole.
Score, band, alert and the order of a card's records are then the work of the last stage.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flink_jobs.tables import OUTBOX_COLUMNS, quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.rules import CompiledRule, CompiledRuleset
    from pipelines.topics import Topics

PLAN_VERSION = 1
JUDGEMENT = "io.fraudlake.decision.Judgement"
FIXED_TEXT = "io.fraudlake.decision.FixedText"
_REASON = "ROW<`observed` DOUBLE, `limit` DOUBLE, `because` STRING>"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionPlan:
    """What the last steps of the job need to know."""

    compiled: CompiledRuleset
    topics: Topics
    base_currency: str
    alert_window_ms: int
    is_reordering: bool
    """Whether stages before have mixed the order of a card's records."""


def decision_steps(plan: DecisionPlan) -> list[str]:
    """The steps of the ``WITH`` behind ``named``."""
    reasons = [_reason(rule) for rule in plan.compiled.rules]
    array = f"ARRAY[\n    {', '.join(reasons)}]" if reasons else f"CAST(NULL AS ARRAY<{_REASON}>)"
    return [
        f"fired AS (SELECT `card_id`, `customer_id`, `event`,\n  {array} AS `reasons`\nFROM named)"
    ]


def insert_outbox(plan: DecisionPlan, steps: Sequence[str]) -> str:
    """A decision for each row of ``fired`` and, where it is flagged, its alert behind it."""
    call = (
        "f_judgement(r => TABLE fired PARTITION BY `card_id`, "
        f"plan => {quote(_plan_json(plan))}, uid => 'judgement')"
    )
    columns = ", ".join(
        f"`card_id` AS `{name}`" if name == "record_key" else f"`{name}`" for name in OUTBOX_COLUMNS
    )
    with_steps = ",\n".join(steps)
    return f"INSERT INTO outbox WITH {with_steps}\nSELECT {columns}\nFROM {call}"


def _reason(rule: CompiledRule) -> str:
    row = f"ROW({rule.observed}, {rule.limit}, {rule.because})"
    return (
        f"CASE WHEN NOT `is_duplicate` AND {rule.fires}\n"
        f"    THEN CAST({row} AS {_REASON}) END /* {rule.id} */"
    )


def _plan_json(plan: DecisionPlan) -> str:
    ruleset, topics = plan.compiled.ruleset, plan.topics
    return json.dumps(
        {
            "version": PLAN_VERSION,
            "ruleset": ruleset.version,
            "combine": ruleset.combine,
            "review_at": ruleset.review_at,
            "block_at": ruleset.block_at,
            "rules": [
                {"id": rule.id, "weight": rule.weight, "state": rule.state}
                for rule in plan.compiled.rules
            ],
            "alert_window_ms": plan.alert_window_ms,
            "reordering": plan.is_reordering,
            "base_currency": plan.base_currency,
            "transactions": topics.transactions.name,
            "decisions": topics.decisions.name,
            "alerts": topics.alerts.name,
        },
        separators=(",", ":"),
    )
