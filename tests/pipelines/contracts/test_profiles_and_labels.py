"""Customers, labels and dead letters: strict in, complete out, and at one with their schemas."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pipelines import contracts
from pipelines.contracts.customer import Customer, encode_customer, parse_customer
from pipelines.contracts.dead_letter import DeadLetter, encode_dead_letter, parse_dead_letter
from pipelines.contracts.faults import ContractFault
from pipelines.contracts.label import Label, encode_label, parse_label

PARSERS = {"customer": parse_customer, "label": parse_label, "dead_letter": parse_dead_letter}
CUSTOMER = {
    "customer_id": "u1",
    "updated_at": "2026-03-01T12:00:00Z",
    "max_speed_kmh": 250,
    "home_latitude": 52.5,
    "home_longitude": 13.4,
    "home_country": "DE",
    "name": "Ada Example",
}
LABEL = {
    "transaction_id": "t1",
    "card_id": "c1",
    "merchant_id": "m1",
    "event_time": "2026-03-01T12:00:00.5Z",
    "label": "fraud",
    "source": "chargeback",
    "reason": "counterfeit",
    "label_time": "2026-03-04T00:00:00Z",
    "device_id": "d1",
}
DEAD_LETTER = {
    "stage": "decode",
    "reason": "not_json",
    "detail": "not JSON at character 1" + "." * 300,
    "original": "eyI=",
    "topic": "transactions",
    "partition": 3,
    "offset": 17,
    "failed_at": "2026-03-01T12:00:00Z",
}
GOOD = {"customer": CUSTOMER, "label": LABEL, "dead_letter": DEAD_LETTER}

# (record, field, value, reason); reason None: taken
CHANGES: list[tuple[str, str, Any, str | None]] = [
    ("customer", "customer_id", None, "missing_field"),
    ("customer", "customer_id", "", "bad_format"),
    ("customer", "customer_id", 1, "wrong_type"),
    ("customer", "updated_at", None, "missing_field"),
    ("customer", "updated_at", "yesterday", "bad_time"),
    ("customer", "max_speed_kmh", None, None),
    ("customer", "max_speed_kmh", 0, "out_of_range"),
    ("customer", "max_speed_kmh", 0.1, None),
    ("customer", "max_speed_kmh", -5, "out_of_range"),
    ("customer", "max_speed_kmh", 100_000, None),
    ("customer", "max_speed_kmh", 100_001, "out_of_range"),
    ("customer", "max_speed_kmh", True, "wrong_type"),
    ("customer", "home_latitude", 90.5, "out_of_range"),
    ("customer", "home_longitude", "13.4", "wrong_type"),
    ("customer", "home_country", "Germany", "bad_format"),
    ("customer", "name", None, None),
    ("customer", "name", "x" * 257, "bad_format"),
    ("label", "transaction_id", None, "missing_field"),
    ("label", "card_id", None, "missing_field"),
    ("label", "merchant_id", 5, "wrong_type"),
    ("label", "event_time", "2026-02-30T00:00:00Z", "bad_time"),
    ("label", "label", "suspicious", "unknown_value"),
    ("label", "source", "rumour", "unknown_value"),
    ("label", "reason", None, None),
    ("label", "reason", 5, "wrong_type"),
    ("label", "label_time", None, "missing_field"),
    ("label", "device_id", None, None),
    ("label", "device_id", 5, "wrong_type"),
    ("dead_letter", "stage", "lunch", "unknown_value"),
    ("dead_letter", "original", None, None),
    ("dead_letter", "offset", 1.5, "wrong_type"),
    ("dead_letter", "offset", True, "wrong_type"),
]


def validator(record: str) -> jsonschema.Draft202012Validator:
    path = Path(contracts.__file__).parent / f"{record}.v1.json"
    return jsonschema.Draft202012Validator(json.loads(path.read_text(encoding="utf-8")))


@pytest.mark.parametrize(("record", "field", "value", "reason"), CHANGES)
def test_one_changed_field_is_taken_or_refused(
    record: str, field: str, value: Any, reason: str | None
) -> None:
    changed = json.dumps({**GOOD[record], field: value}).encode()
    if reason is None:
        PARSERS[record](changed)
    else:
        with pytest.raises(ContractFault) as caught:
            PARSERS[record](changed)
        assert caught.value.reason == reason
        assert field in caught.value.detail
    if reason != "bad_time":
        assert validator(record).is_valid(json.loads(changed)) == (reason is None)


def test_fields_are_checked_in_schema_order() -> None:
    with pytest.raises(ContractFault, match=r"^updated_at"):
        parse_customer(b'{"customer_id":"u1","max_speed_kmh":0}')
    with pytest.raises(ContractFault, match=r"^card_id"):
        parse_label(b'{"transaction_id":"t1","label":"x"}')


def test_a_customer_comes_back_as_it_was() -> None:
    customer = Customer(
        customer_id="u1", updated_at_ms=1_772_366_400_000, max_speed_kmh=250.0, home_country="DE"
    )
    written = encode_customer(customer)
    assert written == (
        b'{"customer_id":"u1","updated_at":"2026-03-01T12:00:00.000Z",'
        b'"max_speed_kmh":250.0,"home_country":"DE"}'
    )
    assert parse_customer(written) == customer


def test_the_name_of_a_customer_does_not_show_in_logs() -> None:
    assert "Ada" not in repr(parse_customer(json.dumps(CUSTOMER).encode()))


def test_a_label_comes_back_as_it_was_with_its_unknown_fields() -> None:
    label = parse_label(json.dumps({**LABEL, "case": 7}).encode())
    assert label == Label(
        transaction_id="t1",
        card_id="c1",
        merchant_id="m1",
        event_time_ms=1_772_366_400_500,
        label="fraud",
        source="chargeback",
        reason="counterfeit",
        label_time_ms=1_772_582_400_000,
        device_id="d1",
        unknown={"case": 7},
    )
    assert parse_label(encode_label(label)) == label
    assert validator("label").is_valid(json.loads(encode_label(label)))


@pytest.mark.parametrize("original", [None, b"", b"\xff\x00{"])
def test_a_dead_letter_brings_the_original_bytes_back(original: bytes | None) -> None:
    letter = DeadLetter(
        stage="decode",
        reason="not_json",
        detail="not JSON",
        original=original,
        topic="transactions",
        partition=0,
        offset=5,
        failed_at_ms=1_772_366_400_000,
    )
    written = encode_dead_letter(letter)
    assert parse_dead_letter(written) == letter
    assert validator("dead_letter").is_valid(json.loads(written))


def test_a_dead_letter_whose_original_is_not_base64_is_refused() -> None:
    with pytest.raises(ContractFault, match="base64"):
        parse_dead_letter(json.dumps({**DEAD_LETTER, "original": "{{{"}).encode())
