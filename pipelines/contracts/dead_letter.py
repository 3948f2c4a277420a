"""Dead letter v1: a record that could not be decided, stored or indexed, and the way back."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass, field

from pipelines.contracts.faults import ContractFault, FaultReason
from pipelines.contracts.fields import Fields
from pipelines.contracts.json_text import write_object
from pipelines.contracts.times import format_time

STAGES = ("decode", "lakehouse", "alerts")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One letter; ``original`` is the record's value, None for a tombstone."""

    stage: str
    reason: str
    detail: str
    original: bytes | None = field(repr=False)
    topic: str
    partition: int
    offset: int
    failed_at_ms: int


def parse_dead_letter(value: bytes | None) -> DeadLetter:
    """The dead letter in a record's value, or ContractFault."""
    record = Fields.read(value)
    return DeadLetter(
        stage=record.choice("stage", STAGES),
        reason=record.text("reason"),
        detail=record.long_text("detail"),
        original=_read_original(record),
        topic=record.text("topic"),
        partition=record.integer("partition"),
        offset=record.integer("offset"),
        failed_at_ms=record.time("failed_at"),
    )


def encode_dead_letter(letter: DeadLetter) -> bytes:
    """Compact JSON in the order of the schema, the original bytes in base64."""
    original = None if letter.original is None else base64.b64encode(letter.original).decode()
    return write_object(
        {
            "stage": letter.stage,
            "reason": letter.reason,
            "detail": letter.detail,
            "original": original,
            "topic": letter.topic,
            "partition": letter.partition,
            "offset": letter.offset,
            "failed_at": format_time(letter.failed_at_ms),
        }
    )


def _read_original(record: Fields) -> bytes | None:
    if record.members.get("original") is None:
        return None
    try:
        return base64.b64decode(record.long_text("original"), validate=True)
    except binascii.Error as error:
        msg = f"original is not base64 ({error}) - must be the record's value in base64"
        raise ContractFault(FaultReason.BAD_FORMAT, msg) from error
