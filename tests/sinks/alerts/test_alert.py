from __future__ import annotations

import json
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

from pipelines.contracts import alert as contract
from pipelines.contracts.faults import ContractFault, FaultReason
from pipelines.contracts.transaction import parse_transaction
from sinks.alerts.alert import in_utc, parse_alert

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def test_the_example_these_tests_start_from_keeps_the_contract(
    make_record: Callable[..., dict[str, Any]],
) -> None:
    folder = resources.files("pipelines.contracts")
    schemas = {
        name: json.loads(folder.joinpath(f"{name}.json").read_text())
        for name in ("alert.v1", "decision.v1")
    }
    registry: Any = Registry().with_resources(
        [(schema["$id"], Resource.from_contents(schema)) for schema in schemas.values()]
    )

    Draft202012Validator(schemas["alert.v1"], registry=registry).validate(make_record())


def test_alert_is_read_into_types(make_value: Callable[..., bytes]) -> None:
    alert = parse_alert(make_value())

    assert alert.opened_at == datetime(2026, 11, 30, 23, 59, 58, 250_000, tzinfo=UTC)
    assert alert.sequence == 2
    assert [rule.id for rule in alert.rules] == ["impossible_travel", "new_device"]
    assert alert.rules[1].limit is None
    assert alert.latest.transaction.amount == 1000.5
    assert alert.latest.transaction.entry_mode is None
    assert alert.latest.features["amount_stddev"] is None
    assert alert.latest.rules_fired == ("impossible_travel", "new_device")


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, FaultReason.EMPTY),
        (b"", FaultReason.EMPTY),
        (b"{", FaultReason.NOT_JSON),
        (b'{"score": NaN}', FaultReason.NOT_JSON),
        (b"\xff", FaultReason.NOT_JSON),
        (b'{"card_id": "\xff"}', FaultReason.NOT_JSON),
        (b"[1]", FaultReason.NOT_AN_OBJECT),
        (b"7", FaultReason.NOT_AN_OBJECT),
        (b"{}", FaultReason.MISSING_FIELD),
    ],
)
def test_bytes_that_are_no_alert_are_a_fault_with_a_reason(
    value: bytes | None, reason: FaultReason
) -> None:
    with pytest.raises(ContractFault) as caught:
        parse_alert(value)

    assert caught.value.reason is reason


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"alert_id": "A" * 32}, FaultReason.BAD_FORMAT),
        ({"alert_id": None}, FaultReason.MISSING_FIELD),
        ({"sequence": "2"}, FaultReason.WRONG_TYPE),
        ({"sequence": True}, FaultReason.WRONG_TYPE),
        ({"sequence": 0}, FaultReason.OUT_OF_RANGE),
        ({"score": "high"}, FaultReason.WRONG_TYPE),
        ({"band": "allow"}, FaultReason.UNKNOWN_VALUE),
        ({"opened_at": "yesterday"}, FaultReason.BAD_TIME),
        ({"opened_at": "2026-11-30T23:59:58"}, FaultReason.BAD_TIME),
        ({"rules": {}}, FaultReason.WRONG_TYPE),
        ({"rules": ["velocity"]}, FaultReason.WRONG_TYPE),
        ({"latest": []}, FaultReason.WRONG_TYPE),
    ],
)
def test_field_that_breaks_the_contract_is_named(
    make_value: Callable[..., bytes], change: dict[str, Any], reason: FaultReason
) -> None:
    with pytest.raises(ContractFault) as caught:
        parse_alert(make_value(**change))

    assert caught.value.reason is reason
    assert next(iter(change)) in caught.value.detail


def test_bytes_behind_the_object_are_a_fault(make_value: Callable[..., bytes]) -> None:
    with pytest.raises(ContractFault) as caught:
        parse_alert(make_value() + b"}")

    assert caught.value.reason is FaultReason.NOT_JSON


def test_number_beyond_a_double_is_a_fault(make_value: Callable[..., bytes]) -> None:
    with pytest.raises(ContractFault) as caught:
        parse_alert(make_value().replace(b'"score": 0.93', b'"score": 1e999'))

    assert caught.value.reason is FaultReason.OUT_OF_RANGE


def test_field_within_another_is_named_by_its_path(
    make_record: Callable[..., dict[str, Any]],
) -> None:
    record = make_record()
    record["rules"][1]["because"] = None

    with pytest.raises(ContractFault, match=r"rules\[1\]\.because") as caught:
        parse_alert(json.dumps(record).encode())

    assert caught.value.reason is FaultReason.MISSING_FIELD


def test_whatever_the_contract_takes_is_taken(make_record: Callable[..., dict[str, Any]]) -> None:
    """Each member of the example in turn is something else, or is not there."""
    taken = 0
    for path in _paths(make_record()):
        for value in _OTHER_VALUES:
            record = _replace(make_record(), path, value)
            if _keeps_contract(record):
                parse_alert(record)
                taken += 1
    assert taken > 100  # else the contract has judged nothing


@pytest.mark.parametrize(
    "member",
    ['"\\ud83d"', '["\\udc00\\ud83d"]', "1e400", "1" * 900, "[" * 999 + "]" * 999, '"\\u0000"'],
    ids=["half a pair", "pair the wrong way round", "infinite", "long", "deep", "nul"],
)
def test_member_that_is_none_of_ours_keeps_no_alert_from_being_shown(
    make_record: Callable[..., dict[str, Any]], member: str
) -> None:
    """Who pays can put things there: the alert on him was a dead letter."""
    text = json.dumps(make_record()).replace('{"points": 12}', member)
    assert member in text

    assert parse_alert(text.encode()) == parse_alert(json.dumps(make_record()).encode())


def test_half_a_surrogate_pair_in_a_field_that_is_shown_is_a_question_mark(
    make_value: Callable[..., bytes],
) -> None:
    alert = parse_alert(make_value(customer_id="Zo\ud83d"))

    assert (alert.customer_id, alert.card_id) == ("Zo?", "card-7")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00"])
def test_moment_of_no_year_is_a_fault(make_value: Callable[..., bytes], moment: str) -> None:
    with pytest.raises(ContractFault) as caught:
        in_utc(parse_alert(make_value(opened_at=moment)).opened_at)

    assert caught.value.reason is FaultReason.BAD_TIME


_MISSING = object()
_TIMES = ("2026-11-30T23:59:58Z", "2026-11-30T23:59:58.25+00:00", "0001-01-01T00:00:00Z")
_OTHER_VALUES: tuple[object, ...] = (
    *(_MISSING, None, True, 0, 1, -1.5, 7e10, "", "a", "0" * 32, [], ["a"], {}, "pos"),
    *("\ud83d", {"x": "\ud83d"}),
    *_TIMES,
)


def _paths(value: object, before: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value)  # type: ignore[arg-type]
    for name, member in inner:
        yield (*before, name)
        if isinstance(member, dict | list):
            yield from _paths(member, (*before, name))


def _replace(record: Any, path: tuple[str | int, ...], value: object) -> bytes:
    holder = record
    for name in path[:-1]:
        holder = holder[name]
    if value is _MISSING:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    return json.dumps(record).encode()


def _keeps_contract(record: bytes) -> bool:
    try:
        alert = contract.parse_alert(record)
        parse_transaction(alert.latest.transaction, currencies={"EUR"})
    except ContractFault:
        return False
    return True
