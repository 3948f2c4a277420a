"""One alert as a document of the index, named by ECS where ECS has a name, else by ``fraud.*``.

Each revision is written as an ``update``: ``doc`` holds what the machine owns, ``upsert`` the same
plus what is written once, a fresh ``case`` among it. Elasticsearch *merges* ``doc`` into what is
stored. So every field of a revision is named, null where it has no value, and an object whose keys
vary stands inside a list: lists are replaced whole, and no older revision shines through. But for
one: the journey that made a rule fire stays when the next payment is made around the corner.

Only fields of the contract are written: what else a payment system sends, nobody asked to keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from pipelines.contracts.faults import ContractFault, FaultReason
from sinks.alerts.alert import in_utc
from sinks.alerts.travel import geo_point, write_travel

if TYPE_CHECKING:
    from datetime import datetime

    from sinks.alerts.alert import Alert
    from sinks.alerts.travel import Travel

SCHEMA_VERSION = 4
FIRST_YEAR, LAST_YEAR = 1900, 2999
"""The index template covers the months of these years; a clock outside them is broken."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an alert came from."""

    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """What is sent for one revision: two lines of a bulk request, without their line feeds."""

    id: str
    index: str
    action: bytes
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The document of one revision, but for the moment at which it is sent.

    All of it is JSON already: it stands in the body twice, in each attempt, and a batch of drafts
    is nothing that the garbage collector has to walk.
    """

    id: str
    index: str
    fields: bytes
    """What each revision rewrites, but for ``event`` and ``sink``."""
    event: bytes
    sink: bytes
    decided_at: datetime

    def at(self, moment: datetime) -> Document:
        """What to send at ``moment``, as the time at which the alert arrived in the index.

        It, and how long that was after the decision, are written with the first revision only, so
        that a redelivery, which comes at another time, still equals what is stored and changes
        nothing.
        """
        delay_ms = round((moment - self.decided_at).total_seconds() * 1000)
        doc = _extend(self.fields, event=self.event, sink=self.sink)
        upsert = _extend(
            self.fields,
            event=_extend(self.event, ingested=_write_json(_write_time(moment))),
            sink=_extend(self.sink, delay_ms=_write_json(delay_ms)),
            case=_FRESH_CASE,
        )
        action = {"update": {"_index": self.index, "_id": self.id, "retry_on_conflict": 3}}
        return Document(
            id=self.id,
            index=self.index,
            action=_write_json(action),
            body=b'{"doc":%b,"upsert":%b}' % (doc, upsert),
        )


def draft_document(
    alert: Alert,
    *,
    origin: Origin,
    index: str,
    travel: Travel | None = None,
) -> Draft:
    """The bulk item of a revision, for the month of the alert's opening behind alias ``index``.

    ``travel`` is the newest suspicious journey that is known of the alert; without one, what an
    earlier revision has stored stays.
    """
    return Draft(
        id=alert.alert_id,
        index=name_index(index, in_utc(alert.opened_at)),
        fields=_write_json(_fields(alert, travel)),
        event=_write_json(_event(alert)),
        sink=_write_json(_sink(alert, origin)),
        decided_at=alert.latest.decided_at,
    )


def name_index(alias: str, opened_at: datetime) -> str:
    """The index of an alert: the month it was opened in, so that every revision finds it again.

    >>> from datetime import UTC, datetime
    >>> name_index("fraud-alerts", datetime(2026, 11, 30, 23, 59, tzinfo=UTC))
    'fraud-alerts-2026.11'
    """
    if not FIRST_YEAR <= opened_at.year <= LAST_YEAR:
        detail = f"opened_at={opened_at.isoformat()}: the year must be {FIRST_YEAR}..{LAST_YEAR}"
        raise ContractFault(FaultReason.BAD_TIME, detail)
    return f"{alias}-{opened_at.year:04d}.{opened_at.month:02d}"


def build_fresh_case() -> dict[str, object]:
    """The case of an alert nobody has looked at yet."""
    return {
        "status": "open",
        "assignee": None,
        "verdict": None,
        "reason": None,
        "notes": [],
        "assigned_at": None,
        "updated_at": None,
        "updated_by": None,
        "closed_at": None,
        "label": None,
    }


def _fields(alert: Alert, travel: Travel | None) -> dict[str, object]:
    transaction = alert.latest.transaction
    journey = {} if travel is None else {"travel": write_travel(travel)}
    ruleset, _, version = alert.ruleset.partition("@")
    return {
        "@timestamp": _write_time(alert.opened_at),
        "rule": {
            "id": [rule.id for rule in alert.rules],
            "ruleset": ruleset,
            "version": version,
        },
        "user": {"id": alert.customer_id},
        "device": {"id": transaction.device_id},
        "source": {
            "ip": transaction.ip_address,
            "geo": {"location": geo_point(transaction.latitude, transaction.longitude)},
        },
        "fraud": {
            "card_id": alert.card_id,
            "sequence": alert.sequence,
            "score": alert.score,
            "band": alert.band,
            "money_at_risk": alert.money_at_risk,
            "currency": alert.base_currency,
            "hits": alert.decisions,
            "because": [rule.because for rule in alert.rules],
            "rules": alert.rules,  # field by field
            "opening": {
                "decision_id": alert.opening.decision_id,
                "transaction_id": alert.opening.transaction_id,
                "event_time": _write_time(alert.opening.event_time),
            },
            "latest": _latest(alert),
            **journey,
            "features": [alert.latest.features],
        },
    }


def _sink(alert: Alert, origin: Origin) -> dict[str, object]:
    return {
        "topic": origin.topic,
        "partition": origin.partition,
        "offset": origin.offset,
        "seq": alert.sequence,
        "schema_version": SCHEMA_VERSION,
    }


def _event(alert: Alert) -> dict[str, object]:
    return {
        "kind": "alert",
        "id": alert.alert_id,
        "provider": "fraudlake",
        "dataset": "fraudlake.alerts",
        "start": _write_time(alert.opened_at),
        "end": _write_time(alert.updated_at),
        "risk_score": alert.score,
    }


def _latest(alert: Alert) -> dict[str, object]:
    latest = alert.latest
    transaction = latest.transaction
    return {
        "decision_id": latest.decision_id,
        "event_time": _write_time(transaction.event_time),
        "decided_at": _write_time(latest.decided_at),
        "base_amount": latest.base_amount,
        "is_late": latest.is_late,
        "previous_transaction_id": latest.previous_transaction_id,
        "transaction_id": transaction.transaction_id,
        "merchant_id": transaction.merchant_id,
        "merchant_category": transaction.merchant_category,
        "amount": transaction.amount,
        "currency": transaction.currency,
        "channel": transaction.channel,
        "entry_mode": transaction.entry_mode,
        "kind": transaction.kind,
        "status": transaction.status,
        "decline_reason": transaction.decline_reason,
        "country": transaction.country,
        "ip_country": transaction.ip_country,
        "billing_country": transaction.billing_country,
        "shipping_country": transaction.shipping_country,
    }


@lru_cache(maxsize=256)  # an alert names few moments, each of them several times
def _write_time(moment: datetime) -> str:
    return in_utc(moment).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _extend(json_object: bytes, **members: bytes) -> bytes:
    """An object that has members already, with these behind them; their values are JSON."""
    more = b"".join([b',"%b":%b' % (name.encode(), value) for name, value in members.items()])
    return b"%b%b}" % (json_object[:-1], more)


_write_json = msgspec.json.Encoder().encode
_FRESH_CASE = _write_json(build_fresh_case())
