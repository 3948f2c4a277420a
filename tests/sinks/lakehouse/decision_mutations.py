"""Decisions that are almost right: what a fast reader may take and the contract does not."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from decision_records import TRANSACTION, decision_value

if TYPE_CHECKING:
    from random import Random

_LONG = "x" * 257
_TRANSACTION_VALUES: dict[str, list[Any]] = {
    "channel": ["zzz", "POS", "", " pos"],
    "country": ["germany", "de", "D1", "", "DE\n"],
    "billing_country": ["zz9", "\u0130T"],
    "latitude": [90, 90.5, -91, 89.999999],
    "longitude": [180, 181, -180.1],
    "shipping_latitude": [95],
    "currency": ["eur", "EURO", "E\u20acR"],
    "merchant_category": ["54", "abcd", "54111", "\u0665\u0664\u0661\u0661"],
    "entry_mode": ["x", "", "chip"],
    "kind": ["x", "", "refund"],
    "status": ["x", "approved"],
    "transaction_id": [
        "",
        _LONG,
        "a\x00b",
        "a\nb",
        "\u2028x",
        " ",
        "\u0085",
        "\x7f",
        "\u00e9" * 200,
    ],
    "card_id": ["", "x" * 256, _LONG, "a\tb"],
    "customer_id": ["", _LONG],
    "merchant_id": ["", _LONG, "\U0001f600" * 256],
    "device_id": ["", _LONG, "a\x00"],
    "ip_address": ["not an address", _LONG, "\x1b[2J"],
    "decline_reason": [_LONG, "a\tb", ""],
    "amount": [-1, 0, -0.0, 1e-9, 12.34565, 0.00005, 999999999, 123456.78905, 100_000_000_001],
    "event_time": [
        "2026-03-01",
        "2026-03-01T12:00Z",
        "2026-03-01T12:00:00",
        "2026-03-01 12:00:00Z",
        "2026-03-01t12:00:00z",
        "2026-03-01T12:00:00+02:00",
        "2026-03-01T12:00:00+00:00",
        "2026-03-01T12:00:00-00:00",
        "2026-03-01T12:00:00+00",
        "2026-03-01T12:00:00.5Z",
        "2026-03-01T12:00:00.1234567Z",
        "2026-03-01T23:59:59.999999999Z",
        "2026-03-01T12:00:00.1234567890Z",
        "2026-03-01T24:00:00Z",
        "2026-03-01T12:00:60Z",
        "2026-02-30T00:00:00Z",
        "1969-12-31T23:59:59Z",
        "9999-12-31T23:59:59.999Z",
        "02026-03-01T12:00:00Z",
        "2026-03-01T12:00:00Z\n",
        "infinity",
        "epoch",
        "",
    ],
}
_DECISION_VALUES: dict[str, list[Any]] = {
    "score": [-1, -0.0, 1e308, 5, True, "1"],
    "band": ["x", "", "ALLOW"],
    "ruleset": ["", "a", "x" * 500, "Baseline@0123456789ab", "baseline@0123456789ab\n"],
    "model": ["", "x", _LONG, "a\nb"],
    "base_currency": ["eur", "", "EURO"],
    "alert_id": ["", "zz", "f" * 32, "F" * 32, "x" * 40],
    "previous_transaction_id": ["", _LONG, "a\x00"],
    "decision_id": ["A" * 32, "0" * 31],
    "rules_fired": [["a", "a"], [""], ["A b"], [_LONG], ["a\n"], [1], [None], [], [[]], ["a", ""]],
    "duplicate_of_offset": [-1, 10**18 - 1, 10**18, 2**63 - 1, 2**63, 0.5],
    "base_amount": [-5, 12.345, 1e-9, 1e16],
    "source": [
        {"topic": "", "partition": 0, "offset": 0},
        {"topic": "a\n", "partition": 0, "offset": 0},
        {"topic": _LONG, "partition": 0, "offset": 0},
        {"topic": "x", "partition": -1, "offset": 0},
        {"topic": "x", "partition": 0, "offset": 10**18},
        {"topic": "x", "partition": 0, "offset": 0, "more": 1},
        {"offset": 0, "topic": "x", "partition": 0},
    ],
    "decided_at": ["2026-03-01T12:00:00", "2026-03-01T12:00:00+01:00", "2026-03-01T24:00:00Z"],
    "features": [{}, {"a": 1}, {"travel_kmh": 1, "card_txn_count_10s": 2}, {"Not a name": 1}],
    "is_duplicate": [True, 0],
    "is_late": [1, "false"],
}
_GOOD = json.dumps(TRANSACTION, separators=(",", ":"))


def mutations() -> dict[str, bytes]:
    """Records by what was done to them; some are right all the same."""
    found = {
        f"transaction {name}={value!r:.40}": decision_value({name: value})
        for name, values in _TRANSACTION_VALUES.items()
        for value in values
    }
    found |= {
        f"{name}={value!r:.40}": decision_value(**{name: value})
        for name, values in _DECISION_VALUES.items()
        for value in values
    }
    for name, text in _odd_transactions().items():
        found[name] = decision_value(text)
    good = decision_value()
    for name, (old, new) in _ODD_BYTES.items():
        assert old in good, name
        found[name] = good.replace(old, new, 1)
    return found


def random_mutations(rng: Random, count: int) -> list[bytes]:
    """Records with one to three characters put in, taken out or exchanged anywhere."""
    pieces = [
        *'"\\{}[]:,.0123456789eE+-aZz \t\n\x7f\x00',
        "\\u0000",
        "null",
        "\u00e9",
        "\u0085",
        "1e9",
    ]
    made = []
    for _ in range(count):
        text = decision_value().decode()
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(text))
            text = text[:at] + rng.choice(["", *pieces]) + text[at + rng.randint(0, 2) :]
        made.append(text.encode())
    return made


def _odd_transactions() -> dict[str, str]:
    def more(member: str) -> str:
        return f"{_GOOD[:-1]},{member}}}"

    return {
        "half a surrogate pair": more('"x":"\\ud800"'),
        "half a surrogate pair in an id": json.dumps({**TRANSACTION, "card_id": "a\ud800"}),
        "half a surrogate pair in a device": json.dumps({**TRANSACTION, "device_id": "a\udc00"}),
        "NUL in an unknown member": more('"note":"a\\u0000b"'),
        "a raw control character": more('"note":"a\x01b"'),
        "nested deeply": more(f'"x":{"[" * 400}{"]" * 400}'),
        "nested too deeply": more(f'"x":{"[" * 100_000}{"]" * 100_000}'),
        "nested too deeply, in objects": more('"x":' + '{"a":' * 1000 + "1" + "}" * 1000),
        "many arrays beside each other": more(f'"x":[{"[]," * 5000}1]'),
        "a number of 1000 digits": more(f'"x":{"9" * 1000}'),
        "a number of 1001 digits": more(f'"x":{"9" * 1001}'),
        "a number of 5000 digits": more(f'"x":{"9" * 5000}'),
        "a fraction of 5000 digits": more(f'"x":0.{"9" * 5000}'),
        "a text of 5000 digits": more(f'"x":"{"9" * 5000}"'),
        "a large exponent": more('"x":1e999999999'),
        "an amount that is nearly nothing": _GOOD.replace("12.3", "1e-999999999"),
        "an amount just below zero": _GOOD.replace("12.3", "-1e-400"),
        "an amount with an exponent": _GOOD.replace("12.3", "1.5e3"),
        "a latitude just beyond": more('"latitude":90.00000000000000000001'),
        "a longitude just beyond": more('"longitude":-180.00000000000000000001'),
        "a latitude beyond all": more('"latitude":1e400'),
        "a repeated member": more('"amount":99'),
        "a repeated member, escaped": more('"\\u0061mount":5'),
        "a member with an escaped name": _GOOD.replace('"amount"', '"\\u0061mount"'),
        "a repeated member inside": more('"z":{"a":1,"a":2}'),
        "a comment": more('"x":1 /*x*/'),
        "a leading zero": _GOOD.replace("12.3", "012.3"),
        "a plus": _GOOD.replace("12.3", "+12.3"),
        "an escaped slash": _GOOD.replace('"m-1"', '"m\\/1"'),
        "an escaped letter": _GOOD.replace('"m-1"', '"m\\u00e9"'),
    }


_ODD_BYTES: dict[str, tuple[bytes, bytes]] = {
    "a byte order mark": (b'{"decision_id"', b'\xef\xbb\xbf{"decision_id"'),
    "a blank behind": (b'"alert_id":null}', b'"alert_id":null} '),
    "a letter behind": (b'"alert_id":null}', b'"alert_id":null}x'),
    "a byte that is not UTF-8": (b"m-1", b"m-\xff"),
    "an overlong NUL": (b"m-1", b"m-\xc0\x80"),
    "half a pair in UTF-8": (b"m-1", b"m-\xed\xa0\x80"),
    "a repeated member of the source": (b'"partition":1,', b'"partition":1,"partition":2,'),
    "a repeated decision member": (b'"score":0.75,', b'"score":0.75,"score":0.5,'),
    "a repeated feature": (b'"travel_kmh":null', b'"travel_kmh":null,"travel_kmh":1'),
    "a feature of 5000 digits": (b'"travel_kmh":null', b'"travel_kmh":' + b"9" * 5000),
    "a feature beyond all": (b'"travel_kmh":null', b'"travel_kmh":1e400'),
    "a feature of minus nothing": (b'"travel_kmh":null', b'"travel_kmh":-0.0'),
    "a score of 5000 digits": (b'"score":0.75', b'"score":0.' + b"7" * 5000),
    "a score just below zero": (b'"score":0.75', b'"score":-1e-400'),
    "an offset of minus nothing": (b'"offset":41', b'"offset":-0'),
    "a rule of half a pair": (b'"velocity"', b'"\\ud800"'),
    "an escaped rule": (b'"velocity"', b'"velocit\\u0079"'),
}
