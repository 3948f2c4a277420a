"""The job's decoder answers to the same table of records as the Python contract."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_process import FX, Decoder

from pipelines.contracts.transaction import parse_transaction

if TYPE_CHECKING:
    from decimal import Decimal

TABLE = Path(__file__).parents[1] / "pipelines" / "contracts" / "cases.json"
# The SQL compares with Kafka's time, which the decoder never sees.
CASES: list[dict[str, Any]] = [
    case
    for case in json.loads(TABLE.read_text(encoding="utf-8"))
    if case["reason"] != "event_time_in_future"
]
GOOD = {
    "transaction_id": "t1",
    "event_time": "2026-03-01T12:00:00.123Z",
    "card_id": "c1",
    "customer_id": "u1",
    "merchant_id": "m1",
    "merchant_category": "5411",
    "currency": "EUR",
    "channel": "pos",
}


def record(amount: str, currency: str = "EUR") -> bytes:
    head = json.dumps({**GOOD, "currency": currency})[:-1]
    return f'{head}, "amount": {amount}}}'.encode()


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_every_case_gets_the_reason_of_the_table(decoder: Decoder, case: dict[str, Any]) -> None:
    text = case.get("value")
    value = base64.b64decode(case["base64"]) if "base64" in case else text
    answer = decoder.read(value.encode() if isinstance(value, str) else value)
    assert answer[0] == (case["reason"] or "ok"), answer
    if "field" in case:
        assert case["field"] in answer[1]
    if "event_time_ms" in case:
        assert int(answer[1]) == case["event_time_ms"]


@settings(max_examples=300, deadline=None)
@given(
    amount=st.decimals(0, 10**11, allow_nan=False, allow_infinity=False, places=None),
    currency=st.sampled_from(sorted(FX.rates)),
)
def test_amounts_come_to_the_same_minor_units(
    decoder: Decoder, amount: Decimal, currency: str
) -> None:
    value = record(str(amount).replace("E+", "e").lower(), currency)
    parsed = parse_transaction(value, currencies=FX.rates)
    assert decoder.read(value)[0::2] == ("ok", str(FX.to_base_minor(parsed.amount, currency)))


@pytest.mark.parametrize(
    ("amount", "minor"),
    [
        ("0", 0),
        ("-0.0", 0),
        ("12.345", 1234),  # half to even
        ("12.355", 1236),
        ("100000000000", 10_000_000_000_000),
        ("1e-99999999999", 0),
        ("0e99999999999", 0),
        ("1e-2147483648", 0),
        ("0." + "0" * 700 + "1", 0),
        ("123." + "0" * 700 + "1", 12_300),
    ],
)
def test_amounts_at_the_edge_are_read_and_stop_nothing(
    decoder: Decoder, amount: str, minor: int
) -> None:
    assert decoder.read(record(amount))[0::2] == ("ok", str(minor))
