"""Alert v1: one revision of an alert on a card, with the decision that caused it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.contracts.decision import Decision, encode_decision, read_decision
from pipelines.contracts.fields import HASH, Fields
from pipelines.contracts.json_text import RawJson, read_object, read_raw_members, write_object
from pipelines.contracts.times import format_time

if TYPE_CHECKING:
    from decimal import Decimal

ALERT_BANDS = ("review", "block")


@dataclass(frozen=True, slots=True, kw_only=True)
class FiredRule:
    """An active rule that fired on the card, with the latest value that made it fire."""

    id: str
    weight: float
    observed: float | None
    limit: float | None
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningDecision:
    """The decision that opened the alert."""

    decision_id: str
    transaction_id: str
    event_time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One revision: a higher ``sequence`` of the same ``alert_id`` replaces a lower one."""

    alert_id: str
    sequence: int
    card_id: str
    customer_id: str
    opened_at_ms: int
    updated_at_ms: int
    decisions: int
    money_at_risk: Decimal
    base_currency: str
    score: float
    band: str
    ruleset: str
    rules: tuple[FiredRule, ...]
    opening: OpeningDecision
    latest: Decision


def parse_alert(value: bytes | None) -> Alert:
    """The alert in a record's value, or ContractFault."""
    record = Fields(read_object(value))
    record.inner("latest")
    opening = record.inner("opening")
    return Alert(
        alert_id=record.code("alert_id", HASH, "32 hexadecimal digits"),
        sequence=record.integer("sequence", least=1),
        card_id=record.text("card_id"),
        customer_id=record.text("customer_id"),
        opened_at_ms=record.time("opened_at"),
        updated_at_ms=record.time("updated_at"),
        decisions=record.integer("decisions", least=1),
        money_at_risk=record.number("money_at_risk"),
        base_currency=record.text("base_currency"),
        score=float(record.number("score")),
        band=record.choice("band", ALERT_BANDS),
        ruleset=record.text("ruleset"),
        rules=_read_rules(record),
        opening=OpeningDecision(
            decision_id=opening.text("decision_id"),
            transaction_id=opening.text("transaction_id"),
            event_time_ms=opening.time("event_time"),
        ),
        latest=read_decision(read_raw_members(value)["latest"]),
    )


def encode_alert(alert: Alert) -> bytes:
    """Compact JSON in the order of the schema."""
    return write_object(
        {
            "alert_id": alert.alert_id,
            "sequence": alert.sequence,
            "card_id": alert.card_id,
            "customer_id": alert.customer_id,
            "opened_at": format_time(alert.opened_at_ms),
            "updated_at": format_time(alert.updated_at_ms),
            "decisions": alert.decisions,
            "money_at_risk": alert.money_at_risk,
            "base_currency": alert.base_currency,
            "score": alert.score,
            "band": alert.band,
            "ruleset": alert.ruleset,
            "rules": [_rule_members(rule) for rule in alert.rules],
            "opening": {
                "decision_id": alert.opening.decision_id,
                "transaction_id": alert.opening.transaction_id,
                "event_time": format_time(alert.opening.event_time_ms),
            },
            "latest": RawJson(encode_decision(alert.latest).decode()),
        }
    )


def _read_rules(record: Fields) -> tuple[FiredRule, ...]:
    listed = {str(at): rule for at, rule in enumerate(record.elements("rules"))}
    numbered = Fields(listed, path="rules.")
    return tuple(_read_rule(numbered.inner(at)) for at in listed)


def _read_rule(record: Fields) -> FiredRule:
    return FiredRule(
        id=record.text("id"),
        weight=float(record.number("weight")),
        observed=record.float_or_none("observed"),
        limit=record.float_or_none("limit"),
        because=record.long_text("because"),
    )


def _rule_members(rule: FiredRule) -> dict[str, Any]:
    return {
        "id": rule.id,
        "weight": rule.weight,
        "observed": rule.observed,
        "limit": rule.limit,
        "because": rule.because,
    }
