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

    from sinks.lakehouse.ingest.records import Refused

_LOG = logging.getLogger(__name__)
FLUSH_SECONDS = 30.0


class Letters:
    """Writes letters to one topic; ``confirm`` before the position moves past their records."""

    def __init__(self, producer: Producer, *, topic: str) -> None:
        self._producer = producer
        self._topic = topic
        self._open: dict[str, DeadLetter] = {}
        """By place: letters of which the broker has not said that it has them."""
        self._failed: dict[str, str] = {}
        """Those of which it said that it has not, and why."""

    def write(self, refused: Iterable[Refused], *, source_topic: str, now_ms: int) -> None:
        """Hand over a letter for each record. ``confirm`` says whether they arrived."""
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
            self._open[place] = letter
            self._send(place, letter)
        if reasons:
            _LOG.warning("event=dead_letters first=%s reasons=%s", first, reasons)

    def confirm(self) -> None:
        """Wait until the broker has all letters.

        TransientError when it does not take them. Those that it refused are sent again by the next
        call; those that are still on their way are not.
        """
        for place in list(self._failed):
            self._send(place, self._open[place])
        self._producer.flush(FLUSH_SECONDS)
        if self._open:
            reason = next(iter(self._failed.values()), f"{len(self._open)} unconfirmed")
            msg = f"dead letters could not be written to {self._topic}: {reason}"
            raise TransientError(msg)

    def _send(self, place: str, letter: DeadLetter) -> None:
        self._failed.pop(place, None)
        try:
            try:
                self._produce(place, letter)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.MSG_SIZE_TOO_LARGE:
                    raise
                self._produce(place, _without_original(letter))
        except (BufferError, KafkaException) as error:
            self._failed[place] = str(error)

    def _produce(self, place: str, letter: DeadLetter) -> None:
        value = encode_dead_letter(letter)

        def hand_over() -> None:
            self._producer.produce(self._topic, key=place.encode(), value=value, on_delivery=settle)

        def settle(error: KafkaError | None, _message: Message) -> None:
            if error is None:
                self._open.pop(place, None)
            else:
                self._failed[place] = error.str()

        try:
            hand_over()
        except BufferError:
            self._producer.flush(FLUSH_SECONDS)
            hand_over()
        self._producer.poll(0)


def _without_original(letter: DeadLetter) -> DeadLetter:
    # In base64 it is a third larger than it was, and the broker's limit is the same.
    size = 0 if letter.original is None else len(letter.original)
    detail = f"{letter.detail}. Its {size} bytes are too many for a letter: read it there"
    return dataclasses.replace(letter, original=None, detail=detail)
