from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from pipelines.contracts.faults import ContractFault, FaultReason
from sinks.alerts.alert import parse_alert
from sinks.alerts.document import Document, Origin, draft_document
from sinks.alerts.travel import travel_of

if TYPE_CHECKING:
    from collections.abc import Callable

NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


def build(value: bytes, *, offset: int = 5, ingested_at: datetime = NOON) -> Document:
    alert = parse_alert(value)
    draft = draft_document(
        alert,
        origin=Origin(topic="alerts", partition=3, offset=offset),
        index="fraud-alerts",
        travel=travel_of(alert),
    )
    return draft.at(ingested_at)


def body_of(document: Document) -> dict[str, Any]:
    return json.loads(document.body)


def test_action_updates_by_alert_id_in_the_month_of_the_opening(
    make_value: Callable[..., bytes],
) -> None:
    document = build(make_value())

    assert json.loads(document.action) == {
        "update": {
            "_index": "fraud-alerts-2026.11",
            "_id": "0123456789abcdef0123456789abcdef",
            "retry_on_conflict": 3,
        }
    }


def test_document_of_the_example_by_hand(make_value: Callable[..., bytes]) -> None:
    value = make_value()

    assert body_of(build(value))["doc"] == {
        "@timestamp": "2026-11-30T23:59:58.250Z",
        "event": {
            "kind": "alert",
            "id": "0123456789abcdef0123456789abcdef",
            "provider": "fraudlake",
            "dataset": "fraudlake.alerts",
            "start": "2026-11-30T23:59:58.250Z",
            "end": "2026-12-01T00:00:04.500Z",
            "risk_score": 0.93,
        },
        "rule": {
            "id": ["impossible_travel", "new_device"],
            "ruleset": "baseline",
            "version": "0a1b2c3d4e5f",
        },
        "user": {"id": "customer-3"},
        "device": {"id": "device-5"},
        "source": {"ip": "203.0.113.9", "geo": {"location": {"lat": 48.8566, "lon": 2.3522}}},
        "fraud": {
            "card_id": "card-7",
            "sequence": 2,
            "score": 0.93,
            "band": "block",
            "money_at_risk": 1250.75,
            "currency": "EUR",
            "hits": 2,
            "because": [
                "812 km in 5 min (9744 km/h, limit 900)",
                "first payment with this device",
            ],
            "rules": [
                {
                    "id": "impossible_travel",
                    "weight": 0.9,
                    "observed": 9744.0,
                    "limit": 900.0,
                    "because": "812 km in 5 min (9744 km/h, limit 900)",
                },
                {
                    "id": "new_device",
                    "weight": 0.3,
                    "observed": 1.0,
                    "limit": None,
                    "because": "first payment with this device",
                },
            ],
            "opening": {
                "decision_id": "1" * 32,
                "transaction_id": "tx-41",
                "event_time": "2026-11-30T23:59:58.250Z",
            },
            "latest": {
                "decision_id": "2" * 32,
                "transaction_id": "tx-42",
                "event_time": "2026-12-01T00:00:04.500Z",
                "decided_at": "2026-12-01T00:00:05.125Z",
                "base_amount": 1000.5,
                "is_late": False,
                "previous_transaction_id": "tx-41",
                "merchant_id": "merchant-9",
                "merchant_category": "5732",
                "amount": 1000.5,
                "currency": "EUR",
                "channel": "pos",
                "entry_mode": None,
                "kind": None,
                "status": None,
                "decline_reason": None,
                "country": "FR",
                "ip_country": None,
                "billing_country": None,
                "shipping_country": None,
            },
            "travel": {
                "from": {"lat": 52.52, "lon": 13.405},
                "to": {"lat": 48.8566, "lon": 2.3522},
                "km": 812.0,
                "kmh": 9744.0,
                "gap_min": None,
            },
            "features": [
                {
                    "travel_kmh": 9744.0,
                    "travel_km": 812.0,
                    "card_count_10s": 2.0,
                    "travel_from_latitude": 52.52,
                    "travel_from_longitude": 13.405,
                    "amount_stddev": None,
                }
            ],
        },
        "sink": {"topic": "alerts", "partition": 3, "offset": 5, "seq": 2, "schema_version": 4},
    }


def test_first_revision_adds_a_fresh_case_and_the_time_of_arrival_to_the_machines_part(
    make_value: Callable[..., bytes],
) -> None:
    body = body_of(build(make_value()))

    upsert = body["upsert"]
    assert upsert["case"] == {
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
    assert upsert["event"].pop("ingested") == "2026-12-01T12:00:00.000Z"
    # From 00:00:05.125, when it was decided.
    assert upsert["sink"].pop("delay_ms") == 12 * 3_600_000 - 5_125
    del upsert["case"]
    assert upsert == body["doc"]


def test_redelivery_at_another_time_is_the_same_update(make_value: Callable[..., bytes]) -> None:
    first = body_of(build(make_value()))
    again = body_of(build(make_value(), ingested_at=datetime(2027, 1, 1, tzinfo=UTC)))

    assert first["doc"] == again["doc"]


def test_each_attempt_of_a_draft_has_its_own_time_of_arrival_and_nothing_else(
    make_value: Callable[..., bytes],
) -> None:
    draft = draft_document(
        parse_alert(make_value()),
        origin=Origin(topic="alerts", partition=3, offset=5),
        index="fraud-alerts",
    )

    first, later = draft.at(NOON), draft.at(NOON + timedelta(hours=3))

    assert (first.id, first.index, first.action) == (later.id, later.index, later.action)
    before, after = body_of(first), body_of(later)
    assert after["upsert"]["event"].pop("ingested") == "2026-12-01T15:00:00.000Z"
    assert before["upsert"]["event"].pop("ingested") == "2026-12-01T12:00:00.000Z"
    delays = [one["upsert"]["sink"].pop("delay_ms") for one in (before, after)]
    assert delays[1] - delays[0] == 3 * 3_600_000
    assert before == after


def test_fields_that_a_revision_lacks_are_null_so_that_an_older_value_cannot_stay(
    make_record: Callable[..., dict[str, Any]],
) -> None:
    record = make_record()
    for name in ("latitude", "device_id", "ip_address", "country"):
        del record["latest"]["transaction"][name]

    doc = body_of(build(json.dumps(record).encode()))["doc"]

    assert doc["device"] == {"id": None}
    assert doc["source"] == {"ip": None, "geo": {"location": None}}
    assert doc["fraud"]["latest"]["country"] is None


def test_what_is_not_in_the_contract_is_not_written(
    make_record: Callable[..., dict[str, Any]],
) -> None:
    record = make_record()
    record["latest"]["transaction"] |= {"holder": "Ada Lovelace", "pan": "4111111111111111"}

    body = build(json.dumps(record).encode()).body

    assert b"Lovelace" not in body
    assert b"4111111111111111" not in body


@pytest.mark.parametrize(
    ("opened_at", "index"),
    [
        ("2026-11-30T23:59:59.999Z", "fraud-alerts-2026.11"),
        ("2026-12-01T00:00:00.000Z", "fraud-alerts-2026.12"),
        ("2026-12-01T00:30:00+01:00", "fraud-alerts-2026.11"),
        ("1970-01-01T00:00:00Z", "fraud-alerts-1970.01"),
    ],
)
def test_index_is_named_by_the_opening_month_in_utc(
    make_value: Callable[..., bytes], opened_at: str, index: str
) -> None:
    assert build(make_value(opened_at=opened_at)).index == index


@pytest.mark.parametrize("opened_at", ["1899-12-31T23:59:59Z", "3000-01-01T00:00:00Z"])
def test_year_that_the_template_does_not_cover_is_a_fault(
    make_value: Callable[..., bytes], opened_at: str
) -> None:
    with pytest.raises(ContractFault) as caught:
        build(make_value(opened_at=opened_at))

    assert caught.value.reason is FaultReason.BAD_TIME
