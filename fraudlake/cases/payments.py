"""The card's payments around an alert, from the lakehouse."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from sinks.alerts.verdicts import Payment
from sinks.lakehouse.query.opening import open_lake

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.settings import Settings
    from sinks.alerts.stored import StoredAlert

BEFORE = timedelta(days=2)
AFTER = timedelta(hours=1)
MOST_SHOWN = 40
MOST_LABELLED = 100_000
_LATE = timedelta(days=31)
"""A payment may belong to an alert although it is that late."""

_FLAGGED = """
SELECT transaction_id, card_id, merchant_id, epoch_ms(event_time), device_id
FROM decisions
WHERE card_id = $card AND alert_id = $alert AND event_time BETWEEN $start AND $end
ORDER BY event_time, transaction_id
"""
_AROUND = """
WITH around AS (
    SELECT event_time, base_amount, base_currency, merchant_id, merchant_category, channel,
        country, band, rules_fired, coalesce(alert_id = $alert, false) AS is_of_alert,
        transaction_id, count(*) OVER () AS payments,
        row_number() OVER (ORDER BY event_time DESC, source_partition, source_offset DESC) AS place
    FROM decisions
    WHERE card_id = $card AND event_time BETWEEN $start AND $end AND NOT is_duplicate
)
SELECT * FROM around
WHERE place <= $most OR (is_of_alert AND transaction_id = $opening)
ORDER BY place DESC
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardPayment:
    """One payment of the card's timeline."""

    at: datetime
    amount: float
    currency: str
    merchant_id: str
    merchant_category: str
    channel: str
    country: str | None
    band: str
    rules: tuple[str, ...]
    is_of_alert: bool
    transaction_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """What the card did around an alert, the earliest first."""

    payments: tuple[CardPayment, ...]
    """The newest ones, and the one that opened the alert, however old."""
    total: int
    """How many there are in that time."""


def read_flagged(settings: Settings, alert: StoredAlert) -> list[Payment]:
    """The payments that make up the alert, as far as the lakehouse has them."""
    rows = _ask(
        settings,
        _FLAGGED,
        limit=MOST_LABELLED,
        card=alert.card_id,
        alert=alert.alert_id,
        start=alert.opened_at - _LATE,
        end=alert.updated_at + _LATE,
    )
    return [
        Payment(
            transaction_id=row[0],
            card_id=row[1],
            merchant_id=row[2],
            event_time_ms=int(row[3]),
            device_id=row[4],
        )
        for row in rows
    ]


def read_timeline(settings: Settings, alert: StoredAlert) -> Timeline:
    """What the card did from two days before the alert to an hour after it."""
    rows = _ask(
        settings,
        _AROUND,
        limit=MOST_LABELLED,
        card=alert.card_id,
        alert=alert.alert_id,
        start=alert.opened_at - BEFORE,
        end=alert.updated_at + AFTER,
        opening=alert.opening.transaction_id,
        most=MOST_SHOWN,
    )
    payments = tuple(
        CardPayment(
            at=row[0],
            amount=float(row[1]),
            currency=row[2],
            merchant_id=row[3],
            merchant_category=row[4],
            channel=row[5],
            country=row[6],
            band=row[7],
            rules=tuple(row[8] or ()),
            is_of_alert=row[9],
            transaction_id=row[10],
        )
        for row in rows
    )
    return Timeline(payments=payments, total=int(rows[0][11]) if rows else 0)


def _ask(settings: Settings, sql: str, *, limit: int, **values: Any) -> Sequence[Sequence[Any]]:
    with open_lake(settings) as lake:
        return lake.ask(sql, values, limit=limit).rows
