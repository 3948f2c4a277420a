"""An alert as it stands in the topic: parsed once, into types.

``parse_alert`` is the border. What passes it can be made into a document; what does not is a
``ContractFault`` with a reason and a sentence, and becomes a dead letter. It reads what a document
needs, as doubles: the parser of ``pipelines.contracts.alert`` keeps every digit, which is not
wanted here, and takes some twenty times as long.
"""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from pipelines.contracts.faults import ContractFault, FaultReason
from pipelines.contracts.json_text import read_object

AlertId = Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{32}$")]
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
Number = Annotated[float, msgspec.Meta(ge=-sys.float_info.max, le=sys.float_info.max)]


class _Part(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is read of an object; its other members are skipped. None of them refers to itself."""


class FiredRule(_Part, frozen=True, kw_only=True):
    """A rule that fired on the card, with the latest value that made it fire."""

    id: str
    weight: Number
    observed: Number | None = None
    limit: Number | None = None
    because: str


class OpeningDecision(_Part, frozen=True, kw_only=True):
    """The decision that opened the alert."""

    decision_id: str
    transaction_id: str
    event_time: Moment


class Transaction(_Part, frozen=True, kw_only=True):
    """What an investigator needs of a transaction; what else was sent, nobody asked to keep."""

    transaction_id: str
    event_time: Moment
    merchant_id: str
    merchant_category: str
    amount: Number
    currency: str
    channel: str
    entry_mode: str | None = None
    kind: str | None = None
    status: str | None = None
    decline_reason: str | None = None
    country: str | None = None
    ip_country: str | None = None
    billing_country: str | None = None
    shipping_country: str | None = None
    latitude: Number | None = None
    longitude: Number | None = None
    device_id: str | None = None
    ip_address: str | None = None


class LatestDecision(_Part, frozen=True, kw_only=True):
    """The decision that caused this revision."""

    decision_id: str
    transaction: Transaction
    base_amount: Number
    features: dict[str, Number | None]
    rules_fired: tuple[str, ...]
    is_late: bool
    previous_transaction_id: str | None = None
    decided_at: Moment


class Alert(_Part, frozen=True, kw_only=True):
    """One revision of an alert (contract ``alert.v1``)."""

    alert_id: AlertId
    sequence: Annotated[int, msgspec.Meta(ge=1)]
    card_id: str
    customer_id: str
    opened_at: Moment
    updated_at: Moment
    decisions: Annotated[int, msgspec.Meta(ge=1)]
    money_at_risk: Number
    base_currency: str
    score: Number
    band: Literal["review", "block"]
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
        return _DECODER.decode(value)
    except msgspec.ValidationError as error:
        raise _explain(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _parse_slowly(value)


def in_utc(moment: datetime) -> datetime:
    """The same moment; one that was sent with another offset has to be counted in UTC's months.

    ContractFault where UTC has no such year.
    """
    try:
        return moment if moment.tzinfo is UTC else moment.astimezone(UTC)
    except OverflowError as error:
        detail = f"{moment.isoformat()} is before the year 1 or after 9999 in UTC"
        raise ContractFault(FaultReason.BAD_TIME, detail) from error


_DEEPEST = 5_000
"""Levels of nesting; the job takes a thousand, more than Python's own limit leaves."""


def _parse_slowly(value: bytes) -> Alert:
    """What the fast decoder cannot read and the job can: half a surrogate pair, deep nesting.

    Whoever fills a field with them must not be able to keep an alert from being shown. Mostly it is
    none that is; in one that is, half a pair becomes a question mark.
    """
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(_DEEPEST)
    try:
        content = read_object(value)
    finally:
        sys.setrecursionlimit(limit)
    try:
        shown = msgspec.to_builtins(msgspec.convert(content, Alert))
        return _DECODER.decode(json.dumps(shown, ensure_ascii=False).encode(errors="replace"))
    except msgspec.ValidationError as error:
        raise _explain(str(error)) from error


_DECODER = msgspec.json.Decoder(Alert)

_REASONS = {
    "Object missing required field": FaultReason.MISSING_FIELD,
    "Invalid enum value": FaultReason.UNKNOWN_VALUE,
    "Expected `str` matching": FaultReason.BAD_FORMAT,
    "Expected `int` >=": FaultReason.OUT_OF_RANGE,
    "Expected `float` >=": FaultReason.OUT_OF_RANGE,
    "Expected `float` <=": FaultReason.OUT_OF_RANGE,
    "Number out of range": FaultReason.OUT_OF_RANGE,
    "Invalid RFC3339 encoded datetime": FaultReason.BAD_TIME,
    "Expected `datetime` with a timezone": FaultReason.BAD_TIME,
}
"""How the decoder's sentences begin; any other one speaks of a type."""


def _explain(sentence: str) -> ContractFault:
    if "got `null`" in sentence:
        reason = FaultReason.MISSING_FIELD
    elif " - at `$" not in sentence and sentence.startswith("Expected `object`"):
        reason = FaultReason.NOT_AN_OBJECT
    else:
        found = (code for begin, code in _REASONS.items() if sentence.startswith(begin))
        reason = next(found, FaultReason.WRONG_TYPE)
    return ContractFault(reason, f"the record is no alert: {sentence}")
