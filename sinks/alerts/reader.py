"""The ``alerts`` topic as a member of a consumer group, with offsets that move when we say so.

A group that has read nothing yet begins at the oldest record. One that has, goes on where it
stopped; if the broker has deleted that record meanwhile, alerts were lost, and the reader says so
instead of jumping ahead.

The mark that ends a transaction is no record, and takes an offset all the same. Behind the last one
the offsets are moved too: else a topic that has been emptied since would look like a loss.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from confluent_kafka import (
    OFFSET_BEGINNING,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)

from pipelines.errors import SinkError, TransientError
from pipelines.kafka import REQUEST_SECONDS, connect_consumer

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Mapping

    from pipelines.settings import KafkaSettings

_LOG = logging.getLogger(__name__)
_POLL_SECONDS = 0.5
_SESSION_MS = 10_000
"""How long the partitions of a killed sink stay without an owner; Kafka's own default is 45 s."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One record of the topic, byte for byte."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


class AlertReader:
    """An open subscription; ``close`` it to hand its partitions over at once."""

    def __init__(
        self, settings: KafkaSettings, *, topic: str, group: str, stop: threading.Event
    ) -> None:
        self._topic = topic
        self._group = group
        self._stop = stop
        self._owned: set[int] = set()
        self._in_hand: set[int] = set()
        self._held_back: list[Record] = []
        self._ends: dict[int, int] = {}
        """Of the partitions read to their end: where that is, marks of transactions included."""
        self._stored: dict[int, int] = {}
        self._is_paused = False
        self._consumer: Consumer = connect_consumer(
            settings,
            group=group,
            error_cb=_log_error,
            **{"session.timeout.ms": _SESSION_MS, "enable.partition.eof": True},
        )
        self._consumer.subscribe([topic], on_assign=self._take, on_revoke=self._give_back)

    def read(self, count: int, seconds: float) -> list[Record]:
        """Up to ``count`` records, after at most ``seconds``; those read before are committed."""
        records, self._held_back = self._held_back, []
        self._ends = {}
        try:
            messages = self._consumer.consume(count, seconds)
        except KafkaException as error:
            raise _explain(error.args[0]) from error
        for message in messages:
            if _is_end(message):
                self._ends[_partition(message)] = cast("int", message.offset())
            else:
                records.append(self._accept(message))
        self._in_hand = set(self._owned)
        records = [record for record in records if record.partition in self._in_hand]
        if not records:
            self._move(self._ends)
        return records

    def wait(self, seconds: float) -> bool:
        """Let the time pass without new records, but as a live member; False when to stop."""
        deadline = time.monotonic() + seconds
        self._pause()
        try:
            while (left := deadline - time.monotonic()) > 0 and not self._stop.is_set():
                message = self._consumer.poll(min(left, _POLL_SECONDS))
                # Fetched before the pause took hold: kept for the next read.
                if message is not None and not _is_end(message):
                    self._held_back.append(self._accept(message))
        except KafkaException as error:
            raise _explain(error.args[0]) from error
        finally:
            self._resume()
        return not self._stop.is_set()

    def holds(self, partition: int) -> bool:
        """Whether the partition has been ours without a break since ``read`` returned."""
        return partition in self._in_hand

    def commit(self, records: Iterable[Record]) -> None:
        """Move the group's offsets behind ``records``; TransientError when that fails.

        Of a partition that was handed over meanwhile, the offsets are left to its new owner.
        """
        ends = dict(self._ends)
        for record in records:
            ends[record.partition] = max(ends.get(record.partition, 0), record.offset + 1)
        self._move(ends)

    def close(self) -> None:
        """Leave the group."""
        self._consumer.close()

    def _move(self, ends: Mapping[int, int]) -> None:
        ends = {
            part: end
            for part, end in ends.items()
            if self.holds(part) and end > self._stored.get(part, 0)
        }
        if not ends:
            return
        offsets = [TopicPartition(self._topic, part, end) for part, end in ends.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except KafkaException as error:
            raise _explain(error.args[0]) from error
        self._stored |= ends

    def _accept(self, message: Message) -> Record:
        error = message.error()
        if error is None:
            return Record(
                topic=self._topic,
                partition=_partition(message),
                offset=cast("int", message.offset()),
                key=message.key(),
                value=message.value(),
            )
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            msg = (
                f"partition {message.partition()} of {self._topic} no longer holds the next record "
                f"of group {self._group}: alerts were deleted before they were indexed. "
                f"To accept the gap, delete the group with `kafka-consumer-groups.sh --delete "
                f"--group {self._group}` and start the sink again: it reads what is left"
            )
            raise SinkError(msg)
        raise _explain(error)

    def _take(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        stored = consumer.committed(partitions, timeout=REQUEST_SECONDS)
        for part in stored:
            if part.error is not None:
                raise KafkaException(part.error)
            if part.offset < 0:
                part.offset = OFFSET_BEGINNING
        consumer.assign(stored)
        self._owned = {part.partition for part in stored}
        self._stored = {part.partition: max(part.offset, 0) for part in stored}
        if self._is_paused:
            consumer.pause(stored)
        places = {part.partition: part.offset for part in stored}
        _LOG.info("event=assigned topic=%s offsets=%s", self._topic, places)

    def _give_back(self, _consumer: Consumer, partitions: list[TopicPartition]) -> None:
        lost = {part.partition for part in partitions}
        self._owned -= lost
        self._in_hand -= lost
        self._ends = {part: end for part, end in self._ends.items() if part not in lost}
        self._held_back = [record for record in self._held_back if record.partition not in lost]
        _LOG.info("event=revoked topic=%s partitions=%d", self._topic, len(partitions))

    def _pause(self) -> None:
        self._is_paused = True
        self._consumer.pause(self._consumer.assignment())

    def _resume(self) -> None:
        self._is_paused = False
        self._consumer.resume(self._consumer.assignment())


def _is_end(message: Message) -> bool:
    """Whether it is no record, but says that a partition has been read to its end."""
    error = message.error()
    return error is not None and error.code() == KafkaError._PARTITION_EOF


def _partition(message: Message) -> int:
    return cast("int", message.partition())


def _log_error(error: KafkaError) -> None:
    _LOG.warning("event=kafka_error reason=%r", error.str())


def _explain(error: KafkaError) -> SinkError | TransientError:
    text = f"Kafka: {error.str()}"
    # A fatal error ends the client, not the sink: a new one starts where the offsets say.
    if error.code() in {
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError._AUTHENTICATION,
    }:
        return SinkError(f"{text}. Check the rights of the sink's user")
    return TransientError(text)
