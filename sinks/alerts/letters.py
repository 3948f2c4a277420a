"""Alerts that cannot be indexed, on their way to the ``dead-letters`` topic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipelines.contracts.dead_letter import DeadLetter, encode_dead_letter
from pipelines.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sinks.alerts.settle import Refused

FLUSH_SECONDS = 30.0


def write_letters(
    producer: Producer, topic: str, refused: Sequence[Refused], *, failed_at: datetime
) -> None:
    """Write a dead letter for each refused record; returns when the broker has confirmed all.

    TransientError when it does not: the records' offsets must not move, and the letters of a later
    try name the same place (topic, partition, offset), by which repeats are recognised.
    """
    faults: list[str] = []

    def confirm(error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            faults.append(error.str())

    for one in refused:
        value = build_letter(one, failed_at=failed_at)
        try:
            producer.produce(topic, key=one.record.key, value=value, on_delivery=confirm)
        except (BufferError, KafkaException) as error:
            faults.append(str(error))
    unconfirmed = producer.flush(FLUSH_SECONDS)
    if faults or unconfirmed:
        reason = faults[0] if faults else f"{unconfirmed} unconfirmed after {FLUSH_SECONDS:.0f} s"
        msg = f"dead letters could not be written to {topic}: {reason}"
        raise TransientError(msg)


def build_letter(refused: Refused, *, failed_at: datetime) -> bytes:
    """The record of contract ``dead_letter.v1``."""
    record = refused.record
    letter = DeadLetter(
        stage="alerts",
        reason=refused.reason,
        detail=refused.detail,
        original=record.value,
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        failed_at_ms=int(failed_at.timestamp() * 1000),
    )
    return encode_dead_letter(letter)
