"""Decisions into rows: the fast way and the strict way agree, and money keeps its cents."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from random import Random
from secrets import randbelow
from typing import Any

import pytest
from decision_mutations import mutations, random_mutations

from sinks.lakehouse.ingest import decisions as module
from sinks.lakehouse.ingest.decisions import DecisionDecoder
from sinks.lakehouse.ingest.records import Decoded, Records
from sinks.lakehouse.ingest.rows import decode_rows
from sinks.lakehouse.tables import DECISIONS

Build = Callable[..., bytes]
Collect = Callable[..., Records]


@pytest.fixture(scope="module")
def decoder() -> Iterator[DecisionDecoder]:
    opened = DecisionDecoder()
    yield opened
    opened.close()


def rows_of(decoded: Decoded) -> list[dict[str, Any]]:
    rows = [row for block in decoded.rows for row in block.to_pylist()]
    return sorted(rows, key=lambda row: row["kafka_offset"])


@pytest.fixture
def only_fast(monkeypatch: pytest.MonkeyPatch) -> None:
    def decode(_table: object, records: Records) -> Decoded:
        assert len(records) == 0, "the slow way was taken"
        return Decoded(rows=(), refused=())

    monkeypatch.setattr(module, "decode_rows", decode)


@pytest.mark.usefixtures("only_fast")
def test_a_usual_decision_takes_the_fast_way_and_keeps_every_field(
    decoder: DecisionDecoder, decision: Build, records: Collect
) -> None:
    text = (
        '{ "transaction_id":"t-1","event_time":"2026-03-01T12:00:00.1239Z","card_id":"c-1",'
        '"customer_id":"u-1","merchant_id":"Café","merchant_category":"5411","amount":12.50,'
        '"currency":"EUR","channel":"ecom","kind":"refund","country":"DE","latitude":52.5,'
        '"longitude":13,"device_id":null,"loyalty":{"tier":"},\\"base_amount\\":"} }'
    )
    one = decision(text, model="m@1", alert_id="f" * 32, duplicate_of_offset=9)

    (row,) = rows_of(decoder.decode(records(one, offset=7)))

    assert row["transaction"] == text
    assert row["decision_id"] == "0123456789abcdef0123456789abcdef"
    assert row["event_time"] == datetime(2026, 3, 1, 12, 0, 0, 123_000, UTC)
    assert row["merchant_id"] == "Café"
    assert (row["amount"], row["base_amount"]) == (Decimal("12.5000"), Decimal("12.30"))
    assert (row["kind"], row["status"], row["device_id"]) == ("refund", None, None)
    assert (row["latitude"], row["longitude"]) == (52.5, 13.0)
    assert row["features"] == {"card_txn_count_10s": 2.0, "travel_kmh": None}
    assert row["rules_fired"] == ["velocity", "large_amount"]
    assert (row["score"], row["band"], row["is_late"]) == (0.75, "review", False)
    assert (row["model"], row["alert_id"], row["duplicate_of_offset"]) == ("m@1", "f" * 32, 9)
    assert row["decided_at"] == datetime(2026, 3, 1, 12, 0, 1, 500_000, UTC)
    assert (row["source_topic"], row["source_partition"], row["source_offset"]) == (
        "transactions",
        1,
        41,
    )
    assert (row["kafka_partition"], row["kafka_offset"]) == (0, 7)
    assert row["kafka_time"] == datetime(2026, 3, 1, 12, 0, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", "0.0000"),
        ("0.1", "0.1000"),
        ("12.30", "12.3000"),
        ("1e2", "100.0000"),
        ("1.234", "1.2340"),  # dinars have three decimals
        ("12.300000000000001", "12.3000"),
        ("0.00005", "0.0000"),  # halfway: to the even neighbour
        ("0.00015", "0.0002"),
        ("0.000150000000000000000001", "0.0002"),
        ("0.000149999999999999999999", "0.0001"),
        ("99999999999.99", "99999999999.9900"),
        ("12345678901.34565", "12345678901.3456"),
        ("100000000000", "100000000000.0000"),
    ],
)
def test_an_amount_is_the_decimal_that_was_written(
    decoder: DecisionDecoder, decision: Build, records: Collect, text: str, expected: str
) -> None:
    one = decision(json.dumps(module_transaction()).replace('"amount": 12.3', f'"amount": {text}'))

    (row,) = rows_of(decoder.decode(records(decision(), one)))[1:]

    assert row["amount"] == Decimal(expected)
    assert f'"amount": {text}' in row["transaction"]


def module_transaction() -> dict[str, Any]:
    return {
        "transaction_id": "t-1",
        "event_time": "2026-03-01T12:00:00.123Z",
        "card_id": "c-1",
        "customer_id": "u-1",
        "merchant_id": "m-1",
        "merchant_category": "5411",
        "amount": 12.3,
        "currency": "EUR",
        "channel": "pos",
    }


TRANSACTION_FAULTS: list[tuple[str, Any, str]] = [
    ("transaction_id", 5, "wrong_type"),
    ("event_time", "2026-02-30T00:00:00Z", "bad_time"),
    ("event_time", None, "missing_field"),
    ("amount", "12.3", "wrong_type"),
    ("amount", "abc", "wrong_type"),
    ("amount", -1, "out_of_range"),
    ("currency", True, "wrong_type"),
    ("device_id", 17, "wrong_type"),
    ("latitude", "52.5", "wrong_type"),
]
DECISION_FAULTS: list[tuple[str, Any, str]] = [
    ("decision_id", "XYZ", "bad_format"),
    ("decision_id", "G" * 32, "bad_format"),
    ("base_amount", "1", "wrong_type"),
    ("base_amount", 1e17, "out_of_range"),
    ("features", {"card_txn_count_10s": "2", "travel_kmh": None}, "wrong_type"),
    ("features", {"card_txn_count_10s": True, "travel_kmh": None}, "wrong_type"),
    ("features", {"card_txn_count_10s": [1], "travel_kmh": {}}, "wrong_type"),
    ("features", {"Not A Name": 1}, "bad_format"),
    ("features", None, "missing_field"),
    ("score", "high", "wrong_type"),
    ("score", -1, "out_of_range"),
    ("band", "maybe", "unknown_value"),
    ("rules_fired", "velocity", "wrong_type"),
    ("rules_fired", [1], "wrong_type"),
    ("is_late", 1, "wrong_type"),
    ("is_late", "true", "wrong_type"),
    ("model", 3, "wrong_type"),
    ("duplicate_of_offset", 1.5, "wrong_type"),
    ("duplicate_of_offset", 1 << 63, "wrong_type"),
    ("source", {"topic": "t", "partition": 1 << 31, "offset": 1}, "out_of_range"),
    ("source", {"topic": "t", "partition": -1, "offset": 1}, "out_of_range"),
    ("source", {"topic": "t", "partition": 1}, "missing_field"),
    ("decided_at", "now", "bad_time"),
]


@pytest.mark.parametrize(("name", "value", "reason"), TRANSACTION_FAULTS)
def test_a_wrong_transaction_is_refused_and_its_neighbours_are_not(
    decoder: DecisionDecoder, decision: Build, records: Collect, name: str, value: Any, reason: str
) -> None:
    wrong = decision({name: value})

    decoded = decoder.decode(records(decision(), wrong, decision()))

    assert [row["kafka_offset"] for row in rows_of(decoded)] == [0, 2]
    assert [(one.offset, one.reason, one.value) for one in decoded.refused] == [(1, reason, wrong)]


@pytest.mark.parametrize(("name", "value", "reason"), DECISION_FAULTS)
def test_a_wrong_decision_is_refused_and_its_neighbours_are_not(
    decoder: DecisionDecoder, decision: Build, records: Collect, name: str, value: Any, reason: str
) -> None:
    wrong = decision(**{name: value})

    decoded = decoder.decode(records(decision(), wrong, decision()))

    assert [row["kafka_offset"] for row in rows_of(decoded)] == [0, 2]
    assert [(one.offset, one.reason, one.value) for one in decoded.refused] == [(1, reason, wrong)]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"{", "not_json"),
        (b"[1]", "not_an_object"),
        (b"\xff\xfe", "not_json"),
        (b'{"decision_id":"', "not_json"),
    ],
)
def test_what_is_no_json_object_is_refused(
    decoder: DecisionDecoder, decision: Build, records: Collect, value: bytes | None, reason: str
) -> None:
    decoded = decoder.decode(records(decision(), value, decision()))

    assert [row["kafka_offset"] for row in rows_of(decoded)] == [0, 2]
    assert [(one.offset, one.reason) for one in decoded.refused] == [(1, reason)]


def test_bytes_that_are_not_utf8_inside_a_decision_cost_their_own_row_only(
    decoder: DecisionDecoder, decision: Build, records: Collect
) -> None:
    broken = decision().replace(b"c-1", b"c\xff1")

    decoded = decoder.decode(records(decision(), broken, decision()))

    assert len(rows_of(decoded)) == 2
    assert [one.reason for one in decoded.refused] == ["not_json"]


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_does_not_have_are_refused(
    decoder: DecisionDecoder, decision: Build, records: Collect, number: str
) -> None:
    wrong = decision().replace(b'"card_txn_count_10s":2', f'"card_txn_count_10s":{number}'.encode())

    decoded = decoder.decode(records(decision(), wrong))

    assert [one.reason for one in decoded.refused] == ["not_json"]


@pytest.mark.parametrize("comma", [b",}", b", }", b',"x":[1,]}', b',"x":[1 ,\t]}', b',"x":NaN}'])
def test_a_transaction_that_only_duckdb_would_take_for_json_is_refused(
    decoder: DecisionDecoder, decision: Build, records: Collect, comma: bytes
) -> None:
    wrong = decision().replace(b'"channel":"pos"}', b'"channel":"pos"' + comma)

    decoded = decoder.decode(records(decision(), wrong))

    assert [one.reason for one in decoded.refused] == ["not_json"]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"travel_kmh":null}', b'"travel_kmh":null,}'),
        (b'"large_amount"]', b'"large_amount",]'),
        (b'"alert_id":null}', b'"alert_id":null,}'),
    ],
)
def test_a_decision_that_only_duckdb_would_take_for_json_is_refused(
    decoder: DecisionDecoder, decision: Build, records: Collect, old: bytes, new: bytes
) -> None:
    wrong = decision().replace(old, new)
    assert wrong != decision()

    decoded = decoder.decode(records(decision(), wrong))

    assert [one.reason for one in decoded.refused] == ["not_json"]


@pytest.mark.usefixtures("only_fast")
def test_a_transaction_in_a_wide_layout_takes_the_fast_way_too(
    decoder: DecisionDecoder, decision: Build, records: Collect
) -> None:
    wide = json.dumps(module_transaction(), indent=2)

    (row,) = rows_of(decoder.decode(records(decision(wide))))

    assert row["transaction"] == wide


def test_of_a_repeated_member_the_last_one_counts_as_it_did_for_the_job(
    decoder: DecisionDecoder, decision: Build, records: Collect
) -> None:
    text = json.dumps(module_transaction())[:-1] + ',"amount":99}'

    (row,) = rows_of(decoder.decode(records(decision(text))))

    assert row["amount"] == Decimal("99.0000")


def test_a_record_with_other_features_or_another_layout_is_a_row_all_the_same(
    decoder: DecisionDecoder, decision: Build, records: Collect
) -> None:
    members = json.loads(decision())
    shuffled = json.dumps(dict(reversed(list(members.items())))).encode()
    other = decision(features={"merchant_txn_count_1h": 3.5})

    decoded = decoder.decode(records(decision(), other, shuffled, decision(features={})))

    assert decoded.refused == ()
    features = [row.get("features") for row in rows_of(decoded)]
    assert [{k: v for k, v in (f or {}).items() if v is not None} for f in features] == [
        {"card_txn_count_10s": 2.0},
        {"merchant_txn_count_1h": 3.5},
        {"card_txn_count_10s": 2.0},
        {},
    ]


def test_the_fast_way_says_what_the_strict_way_says(
    decoder: DecisionDecoder, decision: Build, records: Collect
) -> None:
    values = [
        decision(
            {"amount": amount, "latitude": place, "status": status},
            features={"a": feature, "b": at},
            base_amount=round(amount * 0.92, 2),
            rules_fired=["r"] * (at % 3),
        )
        for at, (amount, place, status, feature) in enumerate(
            (amount, place, status, feature)
            for amount in (0, 0.1, 1.005, 19.99, 1234.5678, 999_999_999.99, 5e9)
            for place in (None, 0, -52.123456789)
            for status in (None, "approved")
            for feature in (None, 0, 0.1, 1e300, -7)
        )
    ]
    together = records(*values)

    fast, strict = decoder.decode(together), decode_rows(DECISIONS, together)

    assert fast.refused == strict.refused == ()
    assert rows_of(fast) == rows_of(strict)
    assert len(rows_of(fast)) == 210
    # The large amounts, and those at a rounding edge in the base currency, are left to the other.
    assert fast.rows[0].num_rows >= 120


MUTATIONS = mutations()


def test_the_fast_way_takes_nothing_that_the_strict_way_refuses_and_changes_nothing(
    decoder: DecisionDecoder, decision: Build, records: Collect
) -> None:
    """Those that are not UTF-8 come alone, because they send their whole block the slow way."""
    texts = {name: value for name, value in MUTATIONS.items() if is_text(value)}
    odd = [records(decision(), value) for name, value in MUTATIONS.items() if name not in texts]
    assert len(odd) == 3

    for together in (*odd, records(decision(), *texts.values())):
        assert_same(decoder, together, names=["good", *texts])


def is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


def test_random_damage_is_judged_alike_by_both_ways(
    decoder: DecisionDecoder, decision: Build, records: Collect
) -> None:
    seed = randbelow(10**9)
    print(f"seed {seed}")

    assert_same(decoder, records(decision(), *random_mutations(Random(seed), 3000)))


def assert_same(decoder: DecisionDecoder, together: Records, names: Sequence[str] = ()) -> None:
    fast, strict = decoder.decode(together), decode_rows(DECISIONS, together)

    def all_of(decoded: Decoded) -> dict[int, object]:
        found: dict[int, object] = {row["kafka_offset"]: exactly(row) for row in rows_of(decoded)}
        return found | {one.offset: (one.reason, one.detail) for one in decoded.refused}

    one, other = all_of(fast), all_of(strict)
    wrong = [at for at in range(len(together)) if one[at] != other[at]]
    assert not wrong, [(names[at] if names else together.values[at], one[at]) for at in wrong]
    assert (fast.row_count, len(fast.refused)) == (strict.row_count, len(strict.refused))


def exactly(row: dict[str, Any]) -> dict[str, str]:
    """Each value as it is written, so that -0.0 is not 0.0; features only where there are any."""
    features = {k: v for k, v in (row.get("features") or {}).items() if v is not None}
    return {name: repr(value) for name, value in {**row, "features": features}.items()}


def test_records_for_which_duckdb_has_no_room_are_rows_all_the_same(
    decoder: DecisionDecoder, decision: Build, records: Collect, caplog: pytest.LogCaptureFixture
) -> None:
    """Half a million numbers in a megabyte take up a hundred times as much."""
    numbers = ",".join(["1"] * 500_000)
    wide = decision(json.dumps(module_transaction())[:-1] + f', "x": [{numbers}]}}')
    together = records(decision(), *[wide] * 14, decision(), None)

    decoded = decoder.decode(together)

    assert "event=block_divided" in caplog.text
    assert [row["kafka_offset"] for row in rows_of(decoded)] == list(range(16))
    assert [one.offset for one in decoded.refused] == [16]
    assert decoder.decode(records(decision())).row_count == 1  # it goes on as ever
