"""Customer v1: the newest profile of a customer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipelines.contracts.faults import ContractFault, FaultReason
from pipelines.contracts.fields import COUNTRY, Fields
from pipelines.contracts.json_text import write_object
from pipelines.contracts.times import format_time

if TYPE_CHECKING:
    from collections.abc import Mapping

FASTEST_KMH = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Customer:
    """One profile; ``max_speed_kmh`` None: no limit of the customer's own."""

    customer_id: str
    updated_at_ms: int
    max_speed_kmh: float | None = None
    home_latitude: float | None = None
    home_longitude: float | None = None
    home_country: str | None = None
    name: str | None = field(default=None, repr=False)
    unknown: Mapping[str, Any] = field(default_factory=dict)


def parse_customer(value: bytes | None) -> Customer:
    """The profile in a record's value, or ContractFault; fields are checked in schema order."""
    record = Fields.read(value)
    return Customer(
        customer_id=record.text("customer_id"),
        updated_at_ms=record.time("updated_at"),
        max_speed_kmh=_read_speed(record),
        home_latitude=record.float_or_none("home_latitude", least=-90, most=90),
        home_longitude=record.float_or_none("home_longitude", least=-180, most=180),
        home_country=record.code_or_none(
            "home_country", COUNTRY, "two capital letters (ISO 3166-1)"
        ),
        name=record.text_or_none("name"),
        unknown=record.rest(_NAMES),
    )


def encode_customer(customer: Customer) -> bytes:
    """Compact JSON, fields in the order of the schema, absent ones left out."""
    members: dict[str, Any] = {}
    for name in _NAMES:
        if name == "updated_at":
            members[name] = format_time(customer.updated_at_ms)
        elif (value := getattr(customer, name)) is not None:
            members[name] = value
    return write_object({**members, **customer.unknown})


_NAMES = (
    "customer_id",
    "updated_at",
    "max_speed_kmh",
    "home_latitude",
    "home_longitude",
    "home_country",
    "name",
)


def _read_speed(record: Fields) -> float | None:
    speed = record.float_or_none("max_speed_kmh", least=0, most=FASTEST_KMH)
    if speed == 0:
        msg = f"max_speed_kmh is 0 - must be above 0, up to {FASTEST_KMH}"
        raise ContractFault(FaultReason.OUT_OF_RANGE, msg)
    return speed
