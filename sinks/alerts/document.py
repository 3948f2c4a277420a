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

import orjson

from pipelines.contracts.faults import ContractFault, FaultReason
from sinks.alerts.travel import geo_point, write_travel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sinks.alerts.alert import Alert
    from sinks.alerts.travel import Travel

SCHEMA_VERSION = 3
FIRST_YEAR, LAST_YEAR = 1900, 2999
"""The index template covers the months of these years; a clock outside them is broken."""

_TRANSACTION_FIELDS = (
    "transaction_id",
    "merchant_id",
    "merchant_category",
    "amount",
    "currency",
    "channel",
    "entry_mode",
    "kind",
    "status",
    "decline_reason",
    "country",
    "ip_country",
    "billing_country",
    "shipping_country",
)


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
    """The document of one revision, but for the moment at which it is sent."""

    id: str
    index: str
    doc: Mapping[str, object]
    """What each revision rewrites; its largest part is JSON already."""
    event: Mapping[str, object]
    sink: Mapping[str, object]
    decided_at: datetime

    def at(self, moment: datetime) -> Document:
        """What to send at ``moment``, as the time at which the alert arrived in the index.

        It, and how long that was after the decision, are written with the first revision only, so
        that a redelivery, which comes at another time, still equals what is stored and changes
        nothing.
        """
        event = {**self.event, "ingested": _write_time(moment)}
        delay_ms = round((moment - self.decided_at).total_seconds() * 1000)
        sink = {**self.sink, "delay_ms": delay_ms}
        upsert = {**self.doc, "event": event, "sink": sink, "case": build_fresh_case()}
        action = {"update": {"_index": self.index, "_id": self.id, "retry_on_conflict": 3}}
        return Document(
            id=self.id,
            index=self.index,
            action=orjson.dumps(action),
            body=orjson.dumps({"doc": self.doc, "upsert": upsert}),
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
    month = name_index(index, alert.opened_at)
    doc = build_machine_part(alert, origin=origin, travel=travel)
    # The large part stands in the body twice, in each attempt, and is put into JSON once.
    doc["fraud"] = orjson.Fragment(orjson.dumps(doc["fraud"]))
    return Draft(
        id=alert.alert_id,
        index=month,
        doc=doc,
        event=_event(alert),
        sink=_sink(alert, origin),
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


def build_machine_part(
    alert: Alert, *, origin: Origin, travel: Travel | None = None
) -> dict[str, object]:
    """What each revision rewrites."""
    transaction = alert.latest.transaction
    journey = {} if travel is None else {"travel": write_travel(travel)}
    ruleset, _, version = alert.ruleset.partition("@")
    return {
        "@timestamp": _write_time(alert.opened_at),
        "event": _event(alert),
        "rule": {
            "id": [rule.id for rule in alert.rules],
            "ruleset": ruleset,
            "version": version,
        },
        "user": {"id": alert.customer_id},
        "device": {"id": transaction.get("device_id")},
        "source": {
            "ip": transaction.get("ip_address"),
            "geo": {
                "location": geo_point(transaction.get("latitude"), transaction.get("longitude"))
            },
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
            "rules": [
                {
                    "id": rule.id,
                    "weight": rule.weight,
                    "observed": rule.observed,
                    "limit": rule.limit,
                    "because": rule.because,
                }
                for rule in alert.rules
            ],
            "opening": {
                "decision_id": alert.opening.decision_id,
                "transaction_id": alert.opening.transaction_id,
                "event_time": _write_time(alert.opening.event_time),
            },
            "latest": _latest(alert),
            **journey,
            "features": [dict(alert.latest.features)],
        },
        "sink": _sink(alert, origin),
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
    transaction = alert.latest.transaction
    return {
        "decision_id": alert.latest.decision_id,
        "event_time": _write_time(alert.latest.event_time),
        "decided_at": _write_time(alert.latest.decided_at),
        "base_amount": alert.latest.base_amount,
        "is_late": alert.latest.is_late,
        "previous_transaction_id": alert.latest.previous_transaction_id,
        **{name: transaction.get(name) for name in _TRANSACTION_FIELDS},
    }


@lru_cache(maxsize=256)  # an alert names few moments, each of them several times
def _write_time(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
