"""Records that a table cannot hold, on their way to the ``dead-letters`` topic.

The key names the record's place, so a letter that is written again after a crash is known by it.
"""

from __future__ import annotations

import dataclasses
import logging
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipelines.contracts.dead_letter import DeadLetter, encode_dead_letter
from pipelines.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sinks.lakehouse.records import Refused

_LOG = logging.getLogger(__name__)
FLUSH_SECONDS = 30.0


class Letters:
    """Writes letters to one topic; ``confirm`` before the position moves past their records."""

    def __init__(self, producer: Producer, *, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self._faults: list[str] = []

    def write(self, refused: Iterable[Refused], *, source_topic: str, now_ms: int) -> None:
        """Hand over a letter for each record; TransientError if the way is blocked."""
        reasons: dict[str, int] = {}
        first: str | None = None
        for one in refused:
            letter = DeadLetter(
                stage="lakehouse",
                reason=one.reason,
                detail=one.detail,
                original=one.value,
                topic=source_topic,
                partition=one.partition,
                offset=one.offset,
                failed_at_ms=now_ms,
            )
            place = f"{letter.topic}-{letter.partition}-{letter.offset}"
            reasons[letter.reason] = reasons.get(letter.reason, 0) + 1
            first = place if first is None else first
            try:
                self._produce(place, letter)
            except (BufferError, KafkaException) as error:
                self._faults.append(str(error))
        if reasons:
            _LOG.warning("event=dead_letters first=%s reasons=%s", first, reasons)

    def confirm(self) -> None:
        """Wait until the broker has all letters; TransientError when it does not take them."""
        unconfirmed = self._producer.flush(FLUSH_SECONDS)
        faults, self._faults = self._faults, []
        if faults or unconfirmed:
            reason = faults[0] if faults else f"{unconfirmed} unconfirmed"
            msg = f"dead letters could not be written to {self._topic}: {reason}"
            raise TransientError(msg)

    def _produce(self, place: str, letter: DeadLetter) -> None:
        value = encode_dead_letter(letter)
        try:
            self._send(place, value)
        except BufferError:
            self._producer.flush(FLUSH_SECONDS)
            self._send(place, value)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                raise
            # In base64 it is a third larger than it was, and the broker's limit is the same.
            size = 0 if letter.original is None else len(letter.original)
            detail = f"{letter.detail}. Its {size} bytes are too many for a letter: read it there"
            short = dataclasses.replace(letter, original=None, detail=detail)
            self._send(place, encode_dead_letter(short))

    def _send(self, place: str, value: bytes) -> None:
        self._producer.produce(
            self._topic, key=place.encode(), value=value, on_delivery=self._confirm_one
        )
        self._producer.poll(0)

    def _confirm_one(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None:
            self._faults.append(error.str())
