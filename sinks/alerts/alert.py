"""An alert as it stands in the topic: parsed once, into types.

``parse_alert`` is the border. What passes it can be made into a document; what does not is a
``ContractFault`` with a reason and a sentence, and becomes a dead letter. It reads what a document
needs, as doubles: the parser of ``pipelines.contracts.alert``, which keeps every digit and checks
every field, takes eight times as long (149 and 19 microseconds, measured on the example alert).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import orjson

from pipelines.contracts.faults import ContractFault, FaultReason

if TYPE_CHECKING:
    from collections.abc import Mapping

_HASH = re.compile(r"[0-9a-f]{32}")
_JSON_NAMES = {str: "text", int: "a whole number", list: "a list", dict: "an object"}
_Kind = TypeVar("_Kind", str, int, list[object])


@dataclass(frozen=True, slots=True, kw_only=True)
class FiredRule:
    """A rule that fired on the card, with the latest value that made it fire."""

    id: str
    weight: float
    observed: float | None
    limit: float | None
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpeningDecision:
    """The decision that opened the alert."""

    decision_id: str
    transaction_id: str
    event_time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LatestDecision:
    """The decision that caused this revision, with the transaction as it was sent."""

    decision_id: str
    event_time: datetime
    transaction: Mapping[str, object]
    base_amount: float
    features: Mapping[str, float | None]
    rules_fired: tuple[str, ...]
    is_late: bool
    previous_transaction_id: str | None
    decided_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """One revision of an alert (contract ``alert.v1``)."""

    alert_id: str
    sequence: int
    card_id: str
    customer_id: str
    opened_at: datetime
    updated_at: datetime
    decisions: int
    money_at_risk: float
    base_currency: str
    score: float
    band: str
    ruleset: str
    rules: tuple[FiredRule, ...]
    opening: OpeningDecision
    latest: LatestDecision


def parse_alert(value: bytes | None) -> Alert:
    """The alert in a record's value; ContractFault when it breaks the contract."""
    if not value:
        detail = "the record has no value; an alert is one JSON object"
        raise ContractFault(FaultReason.EMPTY, detail)
    try:
        content = orjson.loads(value)
    except orjson.JSONDecodeError as error:
        detail = f"the record's value is not JSON: {error}"
        raise ContractFault(FaultReason.NOT_JSON, detail) from error
    if not isinstance(content, dict):
        detail = f"the record's value is {type(content).__name__}; an alert is one JSON object"
        raise ContractFault(FaultReason.NOT_AN_OBJECT, detail)
    return Alert(
        alert_id=_hash(content, "alert_id"),
        sequence=_typed(content, "sequence", int),
        card_id=_typed(content, "card_id", str),
        customer_id=_typed(content, "customer_id", str),
        opened_at=_time(content, "opened_at"),
        updated_at=_time(content, "updated_at"),
        decisions=_typed(content, "decisions", int),
        money_at_risk=_number(content, "money_at_risk"),
        base_currency=_typed(content, "base_currency", str),
        score=_number(content, "score"),
        band=_band(content),
        ruleset=_typed(content, "ruleset", str),
        rules=_rules(content),
        opening=_opening(_object(content, "opening")),
        latest=_latest(_object(content, "latest")),
    )


def _rules(content: Mapping[str, object]) -> tuple[FiredRule, ...]:
    return tuple(_rule(item) for item in _typed(content, "rules", list))


def _rule(item: object) -> FiredRule:
    if not isinstance(item, dict):
        raise _wrong_type(item, name="rules[]", wanted="an object")
    return FiredRule(
        id=_typed(item, "id", str),
        weight=_number(item, "weight"),
        observed=_number_or_none(item, "observed"),
        limit=_number_or_none(item, "limit"),
        because=_typed(item, "because", str),
    )


def _opening(content: Mapping[str, object]) -> OpeningDecision:
    return OpeningDecision(
        decision_id=_typed(content, "decision_id", str),
        transaction_id=_typed(content, "transaction_id", str),
        event_time=_time(content, "event_time"),
    )


def _latest(content: Mapping[str, object]) -> LatestDecision:
    transaction = _object(content, "transaction")
    features = _object(content, "features")
    previous = content.get("previous_transaction_id")
    if previous is not None and not isinstance(previous, str):
        raise _wrong_type(previous, name="previous_transaction_id", wanted="text or null")
    return LatestDecision(
        decision_id=_typed(content, "decision_id", str),
        event_time=_time(transaction, "event_time"),
        transaction=transaction,
        base_amount=_number(content, "base_amount"),
        # Some forty of them: what is usual is asked without a call. (orjson gives no infinity.)
        features={
            name: value if value is None or type(value) is float else _number(features, name)
            for name, value in features.items()
        },
        rules_fired=tuple(map(str, _typed(content, "rules_fired", list))),
        is_late=content.get("is_late") is True,
        previous_transaction_id=previous,
        decided_at=_time(content, "decided_at"),
    )


# What orjson gives has exactly these types, so the usual case is one comparison: thirty fields of
# each alert come through here.


def _typed(content: Mapping[str, object], name: str, kind: type[_Kind]) -> _Kind:
    value = content.get(name)
    if type(value) is kind:
        return value
    raise _missing_or_wrong(value, name=name, wanted=_JSON_NAMES[kind])


def _object(content: Mapping[str, object], name: str) -> Mapping[str, object]:
    value = content.get(name)
    if type(value) is dict:
        return value
    raise _missing_or_wrong(value, name=name, wanted="an object")


def _number(content: Mapping[str, object], name: str) -> float:
    value = content.get(name)
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value)
    raise _missing_or_wrong(value, name=name, wanted="a number")


def _number_or_none(content: Mapping[str, object], name: str) -> float | None:
    return None if content.get(name) is None else _number(content, name)


def _hash(content: Mapping[str, object], name: str) -> str:
    text = _typed(content, name, str)
    if _HASH.fullmatch(text) is None:
        detail = f"{name}={text[:64]!r}: must be 32 hexadecimal digits"
        raise ContractFault(FaultReason.BAD_FORMAT, detail)
    return text


def _band(content: Mapping[str, object]) -> str:
    band = _typed(content, "band", str)
    if band not in {"review", "block"}:
        detail = f"band={band[:64]!r}: must be review or block"
        raise ContractFault(FaultReason.UNKNOWN_VALUE, detail)
    return band


def _time(content: Mapping[str, object], name: str) -> datetime:
    text = _typed(content, name, str)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _bad_time(name, text) from error
    if moment.utcoffset() is None:
        raise _bad_time(name, text)
    return moment if moment.tzinfo is UTC else moment.astimezone(UTC)


def _bad_time(name: str, text: str) -> ContractFault:
    detail = f"{name}={text[:64]!r}: must be an RFC 3339 time in UTC"
    return ContractFault(FaultReason.BAD_TIME, detail)


def _missing_or_wrong(value: object, *, name: str, wanted: str) -> ContractFault:
    if value is None:
        detail = f"required field {name} is missing"
        return ContractFault(FaultReason.MISSING_FIELD, detail)
    return _wrong_type(value, name=name, wanted=wanted)


def _wrong_type(value: object, *, name: str, wanted: str) -> ContractFault:
    detail = f"{name} must be {wanted}, not {type(value).__name__}"
    return ContractFault(FaultReason.WRONG_TYPE, detail)
