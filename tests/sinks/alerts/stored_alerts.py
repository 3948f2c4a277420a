"""An alert as the index has it, by hand, with a case to be bent by each test."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sinks.alerts.alert import OpeningDecision
from sinks.alerts.stored import Case, StoredAlert, VerdictLabel, Version

ALERT_ID = "0123456789abcdef0123456789abcdef"
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def make_case(**changes: Any) -> Case:
    """Nobody has looked at it yet."""
    values: dict[str, Any] = {
        "status": "open",
        "assignee": None,
        "verdict": None,
        "reason": None,
        "notes": (),
        "assigned_at": None,
        "updated_at": None,
        "updated_by": None,
        "closed_at": None,
        "label": None,
    }
    return Case(**{**values, **changes})


def make_label(state: str, *, sent: tuple[str, ...] = (), sending: tuple[str, ...] = ()) -> Any:
    hits = len(sent) + len(sending)
    return VerdictLabel(id="1", state=state, at=NOON, transactions=sent, sending=sending, hits=hits)


def make_stored(*, hits: int = 2, **case: Any) -> StoredAlert:
    return StoredAlert(
        alert_id=ALERT_ID,
        version=Version(index="fraud-alerts-2026.11", seq_no=3, primary_term=1),
        opened_at=NOON,
        updated_at=NOON,
        card_id="card-7",
        customer_id="customer-3",
        band="block",
        score=0.93,
        money_at_risk=1250.75,
        currency="EUR",
        hits=hits,
        sequence=hits,
        ruleset="baseline@0a1b2c3d4e5f",
        rules=(),
        opening=OpeningDecision(decision_id="1" * 32, transaction_id="tx-0", event_time=NOON),
        latest={},
        travel=None,
        features={},
        case=make_case(**case),
        document={},
    )
