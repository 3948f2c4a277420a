"""From features to decisions and alerts: fired ► scored ► judged ► grouped ► outbox, as SQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flink_jobs.tables import quote

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.rules import CompiledRuleset
    from pipelines.topics import Topics

JUDGED_COLUMNS = (
    "card_id",
    "customer_id",
    "transaction_id",
    "event_time",
    "amount_minor",
    "score",
    "band",
    "decision_id",
    "rules_fired",
    "reasons",
    "features",
    "raw",
    "source_partition",
    "source_offset",
    "is_late",
    "is_duplicate",
    "duplicate_of_offset",
    "previous_transaction_id",
    "decided_at",
)
"""The row that alert grouping takes, in the order of ``JudgedRow.java``."""

GROUPING = "io.fraudlake.alert.AlertGrouping"

_REASON = "ROW<`id` STRING, `weight` DOUBLE, `observed` DOUBLE, `limit` DOUBLE, `because` STRING>"
# Flink cannot type an ARRAY[] without items: a rule set may have shadow rules only.
_NO_REASON = f"CAST(NULL AS {_REASON})"


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionPlan:
    """What the last steps of the job need to know."""

    compiled: CompiledRuleset
    topics: Topics
    base_currency: str
    alert_window_ms: int


def decision_steps(plan: DecisionPlan) -> list[str]:
    """The steps of the ``WITH`` behind ``named``, up to ``grouped``."""
    columns = ", ".join(f"`{name}`" for name in JUDGED_COLUMNS)
    call = (
        f"f_alert_grouping(r => TABLE judged PARTITION BY `card_id`, "
        f"window_ms => CAST({plan.alert_window_ms} AS BIGINT), uid => 'alert-grouping')"
    )
    return [
        _fired(plan.compiled),
        _scored(plan.compiled),
        f"judged AS (SELECT {columns} FROM ({_judged(plan)}))",
        f"grouped AS (SELECT * FROM {call})",
    ]


def insert_outbox(plan: DecisionPlan, steps: Sequence[str]) -> str:
    """One row of ``grouped`` becomes a decision and, where it is flagged, an alert beside it."""
    decisions, alerts = quote(plan.topics.decisions.name), quote(plan.topics.alerts.name)
    version, base = quote(plan.compiled.ruleset.version), quote(plan.base_currency)
    columns = [
        "u.topic",
        "`card_id`",
        "`decision_id`",
        "`raw`",
        _major("amount_minor"),
        base,
        "`features`",
        "`score`",
        "`band`",
        "`rules_fired`",
        version,
        "CAST(NULL AS STRING)",
        "`is_late`",
        "`is_duplicate`",
        "`duplicate_of_offset`",
        "`previous_transaction_id`",
        f"ROW({quote(plan.topics.transactions.name)}, `source_partition`, `source_offset`)",
        "`decided_at`",
        "`alert_id`",
        f"CASE WHEN u.topic = {alerts} THEN {_alert(base, version)} END",
    ]
    body = ",\n  ".join(columns)
    with_steps = ",\n".join(steps)
    return (
        f"INSERT INTO outbox WITH {with_steps}\nSELECT\n  {body}\n"
        "FROM grouped CROSS JOIN UNNEST(CASE WHEN `alert_id` IS NOT NULL "
        f"THEN ARRAY[{decisions}, {alerts}] ELSE ARRAY[{decisions}] END) AS u(topic)"
    )


def _fired(compiled: CompiledRuleset) -> str:
    fired = [f"NOT `is_duplicate` AND {rule.fires} AS `fired_{rule.id}`" for rule in compiled.rules]
    body = ",\n  ".join(["*", *fired])
    return f"fired AS (SELECT {body}\nFROM named)"


def _scored(compiled: CompiledRuleset) -> str:
    score = compiled.score_sql([f"`fired_{rule.id}`" for rule in compiled.rules])
    # The clock is read once, before a decision becomes two records that must tell the same time.
    clock = "CAST(CURRENT_TIMESTAMP AS TIMESTAMP_LTZ(3)) AS `decided_at`"
    return f"scored AS (SELECT *,\n  {score} AS `score`,\n  {clock}\nFROM fired)"


def _judged(plan: DecisionPlan) -> str:
    """Everything of ``scored``, with the band, the id, and the reasons of what is flagged."""
    rules = plan.compiled.rules
    fired = [f"CASE WHEN `fired_{rule.id}` THEN {quote(rule.id)} END" for rule in rules]
    reasons = [
        f"CASE WHEN `fired_{rule.id}` THEN ROW({quote(rule.id)}, CAST({rule.weight!r} AS DOUBLE), "
        f"{rule.observed}, {rule.limit}, {rule.because}) END"
        for rule in rules
        if rule.state == "active"
    ]
    band = plan.compiled.band_sql("`score`")
    decision_id = _digest(
        [
            "'decision'",
            quote(plan.topics.transactions.name),
            "CAST(`source_partition` AS STRING)",
            "CAST(`source_offset` AS STRING)",
        ]
    )
    columns = [
        "*",
        f"{band} AS `band`",
        f"{decision_id} AS `decision_id`",
        f"ARRAY[{', '.join(fired)}] AS `rules_fired`",
        f"CASE WHEN {band} <> 'allow' THEN ARRAY[{', '.join(reasons or [_NO_REASON])}] END "
        "AS `reasons`",
    ]
    body = ",\n  ".join(columns)
    return f"SELECT {body}\nFROM scored"


def _alert(base: str, version: str) -> str:
    return (
        "ROW(`alert_id`, `alert_sequence`, `card_id`, `customer_id`, `alert_opened_at`, "
        f"`alert_updated_at`, `alert_sequence`, {_major('alert_minor')}, {base}, `alert_score`, "
        f"`alert_band`, {version}, `alert_reasons`, "
        "ROW(`opening_decision_id`, `opening_transaction_id`, `alert_opened_at`))"
    )


def _major(minor: str) -> str:
    return f"CAST(`{minor}` AS DOUBLE) / 1e2"


def _digest(parts: Sequence[str]) -> str:
    """The recipe of ``pipelines/ids.py`` in SQL."""
    joined = ", CHR(10), ".join(parts)
    return f"SUBSTRING(SHA256(CONCAT({joined})) FROM 1 FOR 32)"
