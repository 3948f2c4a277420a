"""Alerts to fill an index with: real transactions, each of which opens an alert of its own.

The bytes are laid out as the job writes them, with every feature of a rule set and two rules that
fired; only their values are drawn.
"""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from bench.decisions import RULESET, draw_decisions
from pipelines.contracts.alert import Alert, FiredRule, OpeningDecision, encode_alert
from pipelines.contracts.transaction import parse_transaction
from pipelines.features import load_features
from pipelines.fx import load_fx
from pipelines.ids import alert_id
from pipelines.rules import load_ruleset

if TYPE_CHECKING:
    from collections.abc import Container, Iterator

    from pipelines.contracts.decision import Decision

_LAST_PLACE = {"travel_from_latitude": 48.2082, "travel_from_longitude": 16.3738}
"""A place on Earth: an index refuses what is drawn by chance."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AlertRecord:
    """A record of the ``alerts`` topic."""

    id: str
    key: bytes
    value: bytes


def make_alerts(count: int, *, seed: int) -> Iterator[AlertRecord]:
    """``count`` first revisions, in the order of time, all of one month."""
    rates = load_fx().rates
    rules = [rule.id for rule in load_ruleset(RULESET, load_features()).evaluated]
    rng = Random(f"{seed}/rules")
    for decision in draw_decisions(count, cards=max(1, count // 5), seed=seed):
        fired = tuple(rng.sample(rules, 2))
        yield _record(decision, fired, rng, rates)


def _record(
    decision: Decision, fired: tuple[str, ...], rng: Random, rates: Container[str]
) -> AlertRecord:
    transaction = parse_transaction(decision.transaction, currencies=rates)
    number = alert_id(card_id=transaction.card_id, transaction_id=transaction.transaction_id)
    band = "block" if rng.random() < 0.5 else "review"
    score = round(rng.uniform(0.5, 1.0), 4)
    alert = Alert(
        alert_id=number,
        sequence=1,
        card_id=transaction.card_id,
        customer_id=transaction.customer_id,
        opened_at_ms=transaction.event_time_ms,
        updated_at_ms=transaction.event_time_ms,
        decisions=1,
        money_at_risk=decision.base_amount or Decimal(0),
        base_currency=decision.base_currency,
        score=score,
        band=band,
        ruleset=decision.ruleset,
        rules=tuple(_draw_rule(rule, rng) for rule in fired),
        opening=OpeningDecision(
            decision_id=decision.decision_id,
            transaction_id=transaction.transaction_id,
            event_time_ms=transaction.event_time_ms,
        ),
        latest=dataclasses.replace(
            decision,
            features={**decision.features, **_LAST_PLACE},
            band=band,
            score=score,
            rules_fired=fired,
            alert_id=number,
        ),
    )
    return AlertRecord(id=number, key=transaction.card_id.encode(), value=encode_alert(alert))


def _draw_rule(rule: str, rng: Random) -> FiredRule:
    observed, limit = rng.randrange(4, 40), rng.randrange(1, 4)
    because = f"{observed} transactions within a minute (limit {limit})"
    return FiredRule(
        id=rule, weight=0.6, observed=float(observed), limit=float(limit), because=because
    )
