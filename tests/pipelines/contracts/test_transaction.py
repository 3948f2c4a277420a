"""Good and bad records, and what each must come to. The job's decoder answers to the same table.

A case of ``cases.json`` has a ``name``; the record's ``value`` as text (null is a tombstone) or as
``base64``; and the ``reason`` it must be refused for, null if it is good. Some also have the
``field`` the sentence must name, the ``event_time_ms`` to be read, the ``record_time_ms`` of the
Kafka record, or ``beyond_schema``: a fault that the JSON Schema cannot express.
"""

from __future__ import annotations

import base64
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import contracts
from pipelines.contracts.faults import ContractFault, FaultReason
from pipelines.contracts.transaction import (
    Transaction,
    encode_transaction,
    parse_transaction,
)
from pipelines.fx import load_fx

CASES: list[dict[str, Any]] = json.loads(
    Path(__file__).with_name("cases.json").read_text(encoding="utf-8")
)
SCHEMA = json.loads(
    (Path(contracts.__file__).parent / "transaction.v1.json").read_text(encoding="utf-8")
)
RATES = load_fx().rates
SCHEMA_REASONS = {"missing_field", "wrong_type", "unknown_value", "bad_format", "out_of_range"}
SMALLEST = {
    "transaction_id": "t1",
    "event_time": "2026-03-01T12:00:00Z",
    "card_id": "c1",
    "customer_id": "u1",
    "merchant_id": "m1",
    "merchant_category": "5411",
    "amount": 19.9,
    "currency": "EUR",
    "channel": "pos",
}


def value_of(case: dict[str, Any]) -> bytes | None:
    if "base64" in case:
        return base64.b64decode(case["base64"])
    return None if case["value"] is None else case["value"].encode()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_a_record_is_taken_or_refused_for_the_reason_in_the_table(case: dict[str, Any]) -> None:
    record_time_ms = case.get("record_time_ms")

    def parse() -> Transaction:
        return parse_transaction(value_of(case), currencies=RATES, record_time_ms=record_time_ms)

    if case["reason"] is None:
        transaction = parse()
        if "event_time_ms" in case:
            assert transaction.event_time_ms == case["event_time_ms"]
        return
    with pytest.raises(ContractFault) as caught:
        parse()
    assert caught.value.reason == case["reason"]
    assert case.get("field", "") in str(caught.value)


def test_the_table_holds_every_reason() -> None:
    assert {case["reason"] for case in CASES} == {None, *FaultReason}


@pytest.mark.parametrize(
    "case",
    [c for c in CASES if c["reason"] in {None, *SCHEMA_REASONS} and not c.get("beyond_schema")],
    ids=lambda case: case["name"],
)
def test_the_json_schema_agrees_with_the_table(case: dict[str, Any]) -> None:
    record = json.loads((value_of(case) or b"").decode())
    fits = jsonschema.Draft202012Validator(SCHEMA).is_valid(record)
    assert fits == (case["reason"] is None)


def test_the_json_schema_and_the_type_name_the_same_fields_in_the_same_order() -> None:
    names = [name.removesuffix("_ms") for name in Transaction.__dataclass_fields__]
    assert [*SCHEMA["properties"], "unknown"] == names


def test_a_record_nested_without_end_is_not_json() -> None:
    with pytest.raises(ContractFault) as caught:
        parse_transaction(b'{"deep":' + b"[" * 100_000, currencies=RATES)
    assert caught.value.reason is FaultReason.NOT_JSON


@pytest.mark.parametrize("text", ["1e99999999999999999999", "9e+10000000000"])
def test_an_amount_with_an_absurd_exponent_is_out_of_range(text: str) -> None:
    record = json.dumps(SMALLEST).replace("19.9", text).encode()
    with pytest.raises(ContractFault) as caught:
        parse_transaction(record, currencies=RATES)
    assert caught.value.reason is FaultReason.OUT_OF_RANGE


def test_an_amount_keeps_every_digit() -> None:
    record = json.dumps(SMALLEST).replace("19.9", "19.900000000000000000001").encode()
    assert parse_transaction(record, currencies=RATES).amount == Decimal("19.900000000000000000001")


def test_a_sentence_says_which_field_what_it_is_and_what_is_allowed() -> None:
    record = json.dumps({**SMALLEST, "channel": "moto"}).encode()
    with pytest.raises(ContractFault) as caught:
        parse_transaction(record, currencies=RATES)
    assert str(caught.value) == "channel is 'moto' - must be one of pos, ecom, atm"


def test_unknown_fields_come_back_as_they_were() -> None:
    unknown = '"branch":{"no":[1,2.50,1e400,null,true,""]},"big":123456789012345678901234567890'
    record = (json.dumps(SMALLEST)[:-1] + "," + unknown + "}").encode()
    written = encode_transaction(parse_transaction(record, currencies=RATES)).decode()
    assert written.endswith(
        '"branch":{"no":[1,2.50,1E+400,null,true,""]},"big":123456789012345678901234567890}'
    )


def test_a_transaction_is_written_compactly_without_what_is_absent() -> None:
    record = json.dumps({**SMALLEST, "country": None, "latitude": 52.5}).encode()
    assert encode_transaction(parse_transaction(record, currencies=RATES)) == (
        b'{"transaction_id":"t1","event_time":"2026-03-01T12:00:00.000Z","card_id":"c1",'
        b'"customer_id":"u1","merchant_id":"m1","merchant_category":"5411","amount":19.9,'
        b'"currency":"EUR","channel":"pos","latitude":52.5}'
    )


@pytest.mark.parametrize(
    "case", [c for c in CASES if c["reason"] is None], ids=lambda case: case["name"]
)
def test_what_was_written_reads_back_the_same(case: dict[str, Any]) -> None:
    transaction = parse_transaction(value_of(case), currencies=RATES)
    assert parse_transaction(encode_transaction(transaction), currencies=RATES) == transaction


@given(st.binary(max_size=200))
def test_no_bytes_at_all_raise_anything_but_a_contract_fault(value: bytes) -> None:
    with pytest.raises(ContractFault):
        parse_transaction(value, currencies=RATES)


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@given(name=st.sampled_from(sorted(SCHEMA["properties"])), found=ANY_JSON)
def test_any_value_in_any_field_is_judged_as_the_json_schema_does(name: str, found: Any) -> None:
    record = {**SMALLEST, name: found}
    fits = jsonschema.Draft202012Validator(SCHEMA).is_valid(record)
    try:
        parse_transaction(json.dumps(record).encode(), currencies=RATES)
    except ContractFault as fault:
        beyond_schema = fault.reason in {FaultReason.BAD_TIME, FaultReason.UNKNOWN_CURRENCY}
        assert not fits or beyond_schema
    else:
        assert fits
