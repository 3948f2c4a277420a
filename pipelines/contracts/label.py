"""Label v1: what a transaction turned out to be, known later than the transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipelines.contracts.fields import Fields
from pipelines.contracts.json_text import write_object
from pipelines.contracts.times import format_time

if TYPE_CHECKING:
    from collections.abc import Mapping

LABELS = ("fraud", "genuine")
SOURCES = ("chargeback", "investigator")


@dataclass(frozen=True, slots=True, kw_only=True)
class Label:
    """One label; ``event_time_ms`` is the transaction's, ``label_time_ms`` when it became known."""

    transaction_id: str
    card_id: str
    merchant_id: str
    event_time_ms: int
    label: str
    source: str
    label_time_ms: int
    reason: str | None = None
    device_id: str | None = None
    """The transaction's, where it had one: without it the label tells nothing of the device."""
    unknown: Mapping[str, Any] = field(default_factory=dict)


def parse_label(value: bytes | None) -> Label:
    """The label in a record's value, or ContractFault.

    Checked in this order: required fields as the schema lists them, then the others.
    """
    record = Fields.read(value)
    return Label(
        transaction_id=record.text("transaction_id"),
        card_id=record.text("card_id"),
        merchant_id=record.text("merchant_id"),
        event_time_ms=record.time("event_time"),
        label=record.choice("label", LABELS),
        source=record.choice("source", SOURCES),
        label_time_ms=record.time("label_time"),
        reason=record.text_or_none("reason"),
        device_id=record.text_or_none("device_id"),
        unknown=record.rest(_NAMES),
    )


def encode_label(label: Label) -> bytes:
    """Compact JSON, fields in the order of the schema, absent ones left out."""
    members: dict[str, Any] = {
        "transaction_id": label.transaction_id,
        "card_id": label.card_id,
        "merchant_id": label.merchant_id,
        "event_time": format_time(label.event_time_ms),
        "label": label.label,
        "source": label.source,
    }
    if label.reason is not None:
        members["reason"] = label.reason
    members["label_time"] = format_time(label.label_time_ms)
    if label.device_id is not None:
        members["device_id"] = label.device_id
    return write_object({**members, **label.unknown})


_NAMES = frozenset(
    {
        "transaction_id",
        "card_id",
        "merchant_id",
        "event_time",
        "label",
        "source",
        "reason",
        "label_time",
        "device_id",
    }
)
