"""The job's decoder and the Python contract say the same of records broken in every way.

Random damage to fields, names and bytes: what one refuses the other refuses, for the same reason;
what both accept has the same time and the same money.
"""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING

import pytest
from kernel_process import FX, Decoder

from pipelines.contracts.faults import ContractFault
from pipelines.contracts.transaction import parse_transaction

if TYPE_CHECKING:
    from collections.abc import Sequence

GOOD = {
    "transaction_id": "t1",
    "event_time": "2026-03-01T12:00:00.123Z",
    "card_id": "c1",
    "customer_id": "u1",
    "merchant_id": "m1",
    "merchant_category": "5411",
    "amount": 12.5,
    "currency": "EUR",
    "channel": "pos",
    "entry_mode": "chip",
    "kind": "purchase",
    "status": "approved",
    "decline_reason": "x",
    "country": "DE",
    "latitude": 1.5,
    "longitude": 2,
    "device_id": "d",
    "ip_address": "1.2.3.4",
    "billing_latitude": 3,
    "extra": {"a": [1, 2, {"b": None}]},
}
TIMES = (
    "2026-02-29T00:00:00Z",
    "2024-02-29T00:00:00Z",
    "2100-02-29T00:00:00Z",
    "2026-03-01T12:00:60Z",
    "2026-03-01T24:00:00Z",
    "2026-03-01T12:00:00+00:00",
    "2026-03-01T12:00:00-00:00",
    "2026-03-01T12:00:00+01:00",
    "2026-03-01T12:00:00.Z",
    "2026-03-01T12:00:00.5Z",
    "2026-03-01T12:00:00.123456789Z",
    "2026-03-01T12:00:00.1234567891Z",
    "2026-03-01T12:00:00z",
    "2026-03-01 12:00:00Z",
    "2026-03-01T12:00:00Z ",
    "2026-3-1T12:00:00Z",
    "1969-12-31T23:59:59Z",
    "9999-12-31T23:59:59.999Z",
    "0000-01-01T00:00:00Z",
    "\uff12026-03-01T12:00:00Z",
)
TEXTS = (
    *TIMES,
    "",
    "x",
    "POS",
    "eur",
    "XXX",
    "JPY",
    "541",
    "54111",
    "\u0665\u0664\u0661\u0661",
    "de",
    "a" * 256,
    "a" * 257,
    "\U0001f600" * 256,
    "\U0001f600" * 257,
    "\u0000",
    "\x7f\u2028",
)
# As written: the limits, what is no JSON, and escapes that only text has.
WRITTEN = (
    *("null", "true", "false", "[]", "{}", "[[[[]]]]", "[1", '{"a":1', "'x'", "/**/1", '"\\x"'),
    *("0", "-0", "-0.0", "90", "90.1", "-90.5", "180.0000001", "100000000000", "1E11", "1e12"),
    *("1e400", "-1e400", "1e-400", "01", "1.", ".5", "+1", "1e", "NaN", "Infinity", "-"),
    *("0.005", "0.015", "0.0150000000000000000000000001", "999999999999.994999999", "1e+2"),
    *("1e99999999999999999999", "99999999999999999", "123456789012345678901234567890"),
    *('"\\ud800"', '"\\udc00\\ud800"', '"\\ud83d\\ude00"', '"a\tb"', '"E\\u0055R"', '"\\/"'),
)
INSERTED = (
    *(b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xff", b"\x00", b"\xef\xbb\xbf"),
    *(b"\xc3\xa9", b"\xc2\xa0", b"\x0b", b"\x1a", b",", b"{", b"}", b'"', b"\\", b"//\n", b" "),
)


def broken_record(draw: random.Random) -> bytes:
    members = [
        f"{json.dumps(name)}:{json.dumps(value, ensure_ascii=draw.random() < 0.5)}"
        for name, value in GOOD.items()
    ]
    if draw.random() < 0.3:
        draw.shuffle(members)
    for _ in range(draw.choice([0, 1, 1, 1, 2, 3])):
        break_member(draw, members)
    comma = draw.choice([",", ", ", " ,\n"])
    record = f"{{{comma.join(members)}}}".encode()
    return record if draw.random() < 0.8 else break_bytes(draw, record)


def break_member(draw: random.Random, members: list[str]) -> None:
    """One is missing, there twice, under another name, or holds something else."""
    at = draw.randrange(len(members))
    name = members[at].partition(":")[0]
    value = draw.choice([draw.choice(WRITTEN), json.dumps(draw.choice(TEXTS))])
    match draw.choice(["gone", "twice", "renamed", "other", "other", "other"]):
        case "gone" if len(members) > 1:
            del members[at]
        case "twice":
            members.append(f"{name}:{value}")
        case "renamed":
            other = draw.choice([name.upper(), '""', '"\\u0061mount"', '"card_id "'])
            members[at] = f"{other}:{value}"
        case _:
            members[at] = f"{name}:{value}"


def break_bytes(draw: random.Random, record: bytes) -> bytes:
    at = draw.randrange(len(record))
    match draw.choice(["cut", "changed", "inserted", "after", "before"]):
        case "cut":
            return record[:at]
        case "changed":
            return record[:at] + bytes([draw.randrange(256)]) + record[at + 1 :]
        case "inserted":
            return record[:at] + draw.choice(INSERTED) + record[at:]
        case "after":
            return record + draw.choice([*INSERTED, b"{}", b"null"])
        case _:
            return draw.choice(INSERTED) + record


def expected_of(record: bytes) -> tuple[str, ...]:
    try:
        parsed = parse_transaction(record, currencies=FX.rates)
    except ContractFault as fault:
        return (fault.reason.value,)
    minor = FX.to_base_minor(parsed.amount, parsed.currency)
    return ("ok", str(parsed.event_time_ms), str(minor))


def assert_agree(decoder: Decoder, records: Sequence[bytes]) -> None:
    for record in records:
        answer = decoder.read(record)
        found = answer if answer[0] == "ok" else answer[:1]
        assert found == expected_of(record), (record, answer)


@pytest.mark.parametrize("seed", range(4))
def test_the_same_is_refused_for_the_same_reason(decoder: Decoder, seed: int) -> None:
    draw = random.Random(seed)
    assert_agree(decoder, [broken_record(draw) for _ in range(1500)])


@pytest.mark.parametrize("field", ["channel", "currency", "country", "event_time", "device_id"])
def test_half_a_character_breaks_a_field_by_its_own_rule(decoder: Decoder, field: str) -> None:
    """A dead letter of a closed set once said bad_format where the contract says unknown_value."""
    members = {**GOOD, field: "HALF"}
    assert_agree(decoder, [json.dumps(members).replace("HALF", "\\ud800").encode()])


def test_records_that_are_no_object_are_told_apart(decoder: Decoder) -> None:
    texts = ("", " ", "null", "true", "tru", "1", "01", "1 2", '"a"', "[]", "[1,2", "[{}]x", "{")
    assert_agree(decoder, [text.encode() for text in texts])
    assert_agree(decoder, [json.dumps(GOOD).encode("utf-16"), json.dumps(GOOD).encode("utf-32")])
