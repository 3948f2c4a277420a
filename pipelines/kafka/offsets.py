"""Where topics begin and end, where a group has come to, and where the first record lies."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin._listoffsets import OffsetSpec

from pipelines.errors import TransientError
from pipelines.kafka.admin import count_partitions, list_partitions
from pipelines.kafka.answers import REQUEST_SECONDS, await_answer, explain, retry_busy
from pipelines.kafka.clients import connect_admin, connect_consumer

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from confluent_kafka import Consumer, Message

    from pipelines.settings import KafkaSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetRange:
    """What one partition holds: offsets from ``start`` up to, not including, ``end``."""

    start: int
    end: int


class OffsetReader:
    """Where topics begin and end, asked through one client.

    To make a client takes longer than to ask it: who has many questions asks one reader. What it
    has learnt of which topics there are stays as it was.
    """

    def __init__(self, settings: KafkaSettings, *, seconds: float = REQUEST_SECONDS) -> None:
        self._settings = settings
        self._seconds = seconds
        self._admin = connect_admin(settings)
        self._partitions: dict[str, int] = {}

    def held(self, topic: str, *, is_committed: bool = True) -> dict[int, OffsetRange]:
        """What each partition of ``topic`` holds of committed records; empty if there is none.

        Without ``is_committed``, also what lies behind a transaction that is still open.
        """
        first, last = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
        starts, ends = (self._ask(topic, spec, is_committed) for spec in (first, last))
        return {part: OffsetRange(start=starts[part], end=ends[part]) for part in starts}

    def at(self, topic: str, *moments_ms: int, is_committed: bool = True) -> list[dict[int, int]]:
        """For each moment, the first offset of each partition that is not older; else its end.

        By the records' own times in Kafka. Later moments never come before earlier ones. Without
        ``is_committed``, also among what lies behind a transaction that is still open.
        """
        last = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        at = [OffsetSpec.for_timestamp(moment) for moment in moments_ms]
        ends, *found = (self._ask(topic, spec, is_committed) for spec in (last, *at))
        return [
            {part: end if one[part] < 0 else min(one[part], end) for part, end in ends.items()}
            for one in found
        ]

    def _ask(self, topic: str, spec: OffsetSpec, is_committed: bool) -> dict[int, int]:
        """The offset that ``spec`` names in each partition."""
        parts = [TopicPartition(topic, partition) for partition in range(self._count(topic))]
        if not parts:
            return {}
        level = IsolationLevel.READ_COMMITTED if is_committed else IsolationLevel.READ_UNCOMMITTED
        doing = f"reading the offsets of {topic}"

        def ask() -> dict[int, int]:
            futures = self._admin.list_offsets(
                dict.fromkeys(parts, spec), isolation_level=level, request_timeout=self._seconds
            )
            return {
                part.partition: await_answer(future, doing, seconds=self._seconds).offset
                for part, future in futures.items()
            }

        return retry_busy(ask)

    def _count(self, topic: str) -> int:
        if topic not in self._partitions:
            counts = count_partitions(self._admin, self._settings, seconds=self._seconds)
            self._partitions = {topic: 0, **counts}
        return self._partitions[topic]


def read_offsets(
    settings: KafkaSettings,
    topic: str,
    *,
    is_committed: bool = True,
    seconds: float = REQUEST_SECONDS,
) -> dict[int, OffsetRange]:
    """``OffsetReader.held`` for who asks once."""
    return OffsetReader(settings, seconds=seconds).held(topic, is_committed=is_committed)


def read_offsets_at(
    settings: KafkaSettings, topic: str, *moments_ms: int, seconds: float = REQUEST_SECONDS
) -> list[dict[int, int]]:
    """``OffsetReader.at`` for who asks once."""
    return OffsetReader(settings, seconds=seconds).at(topic, *moments_ms)


def read_group_offsets(
    settings: KafkaSettings,
    group: str,
    topic: str,
    *,
    partitions: Collection[int] | None = None,
    seconds: float = REQUEST_SECONDS,
) -> dict[int, int]:
    """The next offset a consumer group would read of each partition, or of those named.

    A partition for which none is stored is absent.
    """
    if partitions is None:
        partitions = range(list_partitions(settings, seconds=seconds).get(topic, 0))
    parts = [TopicPartition(topic, partition) for partition in partitions]
    if not parts:
        return {}
    # Not the admin client's list_consumer_group_offsets: librdkafka 2.16 crashes the process when
    # the coordinator is not ready yet (a null group in rd_kafka_cgrp_op).
    consumer = connect_consumer(settings, group=group)
    try:
        stored = retry_busy(lambda: _committed(consumer, parts, group, seconds))
    finally:
        consumer.close()
    return {part.partition: part.offset for part in stored if part.offset >= 0}


def find_records(
    settings: KafkaSettings,
    topic: str,
    begins: Mapping[int, int],
    *,
    seconds: float = REQUEST_SECONDS,
) -> dict[int, int]:
    """The offset of the first committed record of each partition from ``begins`` on.

    A partition that holds none is absent, whatever marks of transactions lie there.
    """
    found: dict[int, int] = {}
    open_ones = set(begins)
    deadline = time.monotonic() + seconds
    with _looking(settings, topic, begins, {"queued.min.messages": 1}) as consumer:
        while open_ones:
            left = deadline - time.monotonic()
            message = consumer.poll(left) if left > 0 else None
            if message is None:
                msg = f"looking for records of {topic} took longer than {seconds:.0f} s; try again"
                raise TransientError(msg)
            part = cast("int", message.partition())
            if not _is_end(message) and part in open_ones:
                found[part] = cast("int", message.offset())
            open_ones.discard(part)
    return found


def count_records(
    settings: KafkaSettings,
    topic: str,
    begins: Mapping[int, int],
    *,
    seconds: float = REQUEST_SECONDS,
) -> int:
    """How many committed records there are from ``begins`` on.

    They are read for ``seconds`` at most: at least so many there are, if that is not enough.
    """
    count, open_ones = 0, set(begins)
    deadline = time.monotonic() + seconds
    with _looking(settings, topic, begins, {"queued.max.messages.kbytes": 8192}) as consumer:
        while open_ones and (left := deadline - time.monotonic()) > 0:
            for message in consumer.consume(1000, min(left, 0.1)):
                if _is_end(message):
                    open_ones.discard(cast("int", message.partition()))
                else:
                    count += 1
    return count


@contextmanager
def _looking(
    settings: KafkaSettings, topic: str, begins: Mapping[int, int], more: Mapping[str, int]
) -> Iterator[Consumer]:
    """A reader that stands at ``begins``, tells where a partition ends, and stores nothing."""
    consumer = connect_consumer(
        settings,
        group="fraudlake-looks",  # required by the client
        **{
            "auto.offset.reset": "earliest",  # what was deleted since is no record
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
            **more,
        },
    )
    try:
        consumer.assign([TopicPartition(topic, part, offset) for part, offset in begins.items()])
        yield consumer
    finally:
        consumer.close()


def _is_end(message: Message) -> bool:
    error = message.error()
    if error is None:
        return False
    if error.code() == KafkaError._PARTITION_EOF:
        return True
    raise explain(KafkaException(error), f"looking at the records of {message.topic()}")


def _committed(
    consumer: Consumer, parts: list[TopicPartition], group: str, seconds: float
) -> list[TopicPartition]:
    doing = f"reading the offsets of group {group}"
    try:
        stored: list[TopicPartition] = consumer.committed(parts, seconds)
    except KafkaException as error:
        raise explain(error, doing) from error
    for part in stored:
        if part.error is not None:
            raise explain(KafkaException(part.error), doing)
    return stored
