"""Transaction v1: one card transaction as the payment systems report it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from pipelines.contracts.faults import ContractFault, FaultReason
from pipelines.contracts.fields import CATEGORY, COUNTRY, CURRENCY, Fields
from pipelines.contracts.json_text import write_object
from pipelines.contracts.times import format_time

if TYPE_CHECKING:
    from collections.abc import Container, Mapping
    from decimal import Decimal

CHANNELS = ("pos", "ecom", "atm")
ENTRY_MODES = ("chip", "contactless", "magstripe", "manual")
KINDS = ("purchase", "refund", "withdrawal")
STATUSES = ("approved", "declined")
LARGEST_AMOUNT = 100_000_000_000
FUTURE_TOLERANCE_MS = 600_000
"""How far ``event_time`` may be ahead of the record's Kafka time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """One transaction; ``unknown`` holds the fields the contract does not know."""

    transaction_id: str
    event_time_ms: int
    card_id: str
    customer_id: str
    merchant_id: str
    merchant_category: str
    amount: Decimal
    currency: str
    channel: str
    entry_mode: str | None = None
    kind: str | None = None
    status: str | None = None
    decline_reason: str | None = None
    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    device_id: str | None = None
    ip_address: str | None = None
    ip_country: str | None = None
    billing_country: str | None = None
    shipping_country: str | None = None
    billing_latitude: float | None = None
    billing_longitude: float | None = None
    shipping_latitude: float | None = None
    shipping_longitude: float | None = None
    unknown: Mapping[str, Any] = field(default_factory=dict)


def parse_transaction(
    value: bytes | None, *, currencies: Container[str], record_time_ms: int | None = None
) -> Transaction:
    """The transaction in a record's value, or ContractFault with the first fault found.

    Checked in this order: the value as JSON; the required fields as the schema lists them; the
    optional ones as the schema lists them; last, when ``record_time_ms`` (the record's Kafka time)
    is given, that the event is not more than ten minutes ahead of it. Each field is checked for
    presence, type, shape or limits, and the currency then for an exchange rate (``currencies``,
    such as ``FxTable.rates``).
    """
    record = Fields.read(value)
    transaction = Transaction(
        transaction_id=record.text("transaction_id"),
        event_time_ms=record.time("event_time"),
        card_id=record.text("card_id"),
        customer_id=record.text("customer_id"),
        merchant_id=record.text("merchant_id"),
        merchant_category=record.code("merchant_category", CATEGORY, "four digits"),
        amount=record.number("amount", least=0, most=LARGEST_AMOUNT),
        currency=_read_currency(record, currencies),
        channel=record.choice("channel", CHANNELS),
        entry_mode=record.choice_or_none("entry_mode", ENTRY_MODES),
        kind=record.choice_or_none("kind", KINDS),
        status=record.choice_or_none("status", STATUSES),
        decline_reason=record.text_or_none("decline_reason"),
        country=_read_country(record, "country"),
        latitude=_read_latitude(record, "latitude"),
        longitude=_read_longitude(record, "longitude"),
        device_id=record.text_or_none("device_id"),
        ip_address=record.text_or_none("ip_address"),
        ip_country=_read_country(record, "ip_country"),
        billing_country=_read_country(record, "billing_country"),
        shipping_country=_read_country(record, "shipping_country"),
        billing_latitude=_read_latitude(record, "billing_latitude"),
        billing_longitude=_read_longitude(record, "billing_longitude"),
        shipping_latitude=_read_latitude(record, "shipping_latitude"),
        shipping_longitude=_read_longitude(record, "shipping_longitude"),
        unknown=record.rest(_KNOWN),
    )
    if record_time_ms is not None:
        refuse_future(transaction, record_time_ms)
    return transaction


def refuse_future(transaction: Transaction, record_time_ms: int) -> None:
    """ContractFault when the event is more than ten minutes ahead of its record's Kafka time."""
    if transaction.event_time_ms > record_time_ms + FUTURE_TOLERANCE_MS:
        msg = (
            f"event_time is {format_time(transaction.event_time_ms)}, more than ten minutes ahead "
            f"of the record's time {format_time(record_time_ms)}"
        )
        raise ContractFault(FaultReason.EVENT_TIME_IN_FUTURE, msg)


def encode_transaction(transaction: Transaction) -> bytes:
    """Compact JSON: known fields in the schema's order without the absent ones, then the rest."""
    members: dict[str, Any] = {}
    for name in FIELD_NAMES:
        if name == "event_time":
            members[name] = format_time(transaction.event_time_ms)
        elif (value := getattr(transaction, name)) is not None:
            members[name] = value
    return write_object({**members, **transaction.unknown})


FIELD_NAMES = tuple(
    item.name.removesuffix("_ms") for item in fields(Transaction) if item.name != "unknown"
)
"""Every field of the contract, in the order of the schema."""
REQUIRED_FIELDS = FIELD_NAMES[:9]
_KNOWN = frozenset(FIELD_NAMES)


def _read_currency(record: Fields, currencies: Container[str]) -> str:
    currency = record.code("currency", CURRENCY, "three capital letters (ISO 4217)")
    if currency not in currencies:
        msg = f"currency is {currency}, which has no exchange rate - add it to the rates table"
        raise ContractFault(FaultReason.UNKNOWN_CURRENCY, msg)
    return currency


def _read_country(record: Fields, name: str) -> str | None:
    return record.code_or_none(name, COUNTRY, "two capital letters (ISO 3166-1)")


def _read_latitude(record: Fields, name: str) -> float | None:
    return record.float_or_none(name, least=-90, most=90)


def _read_longitude(record: Fields, name: str) -> float | None:
    return record.float_or_none(name, least=-180, most=180)
