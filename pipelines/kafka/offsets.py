"""Where topics begin and end, where a group has come to, and where the first record lies."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, cast

from confluent_kafka import IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin._listoffsets import OffsetSpec

from pipelines.errors import TransientError
from pipelines.kafka.admin import list_partitions
from pipelines.kafka.answers import REQUEST_SECONDS, await_answer, explain, retry_busy
from pipelines.kafka.clients import connect_admin, connect_consumer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from confluent_kafka import Consumer, Message

    from pipelines.settings import KafkaSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetRange:
    """What one partition holds: offsets from ``start`` up to, not including, ``end``."""

    start: int
    end: int


def read_offsets(
    settings: KafkaSettings,
    topic: str,
    *,
    is_committed: bool = True,
    seconds: float = REQUEST_SECONDS,
) -> dict[int, OffsetRange]:
    """What each partition of ``topic`` holds of committed records; empty if it does not exist.

    Without ``is_committed``, also what lies behind a transaction that is still open.
    """
    level = IsolationLevel.READ_COMMITTED if is_committed else IsolationLevel.READ_UNCOMMITTED
    first, last = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
    count = list_partitions(settings, seconds=seconds).get(topic, 0)
    starts, ends = _read_specs(settings, topic, count, (first, last), level, seconds=seconds)
    return {part: OffsetRange(start=starts[part], end=ends[part]) for part in starts}


def read_offsets_at(
    settings: KafkaSettings,
    topic: str,
    *moments_ms: int,
    is_committed: bool = True,
    seconds: float = REQUEST_SECONDS,
) -> list[dict[int, int]]:
    """For each moment, the first offset of each partition that is not older; else its end.

    By the records' own times in Kafka. Later moments never come before earlier ones. Without
    ``is_committed``, also among what lies behind a transaction that is still open.
    """
    level = IsolationLevel.READ_COMMITTED if is_committed else IsolationLevel.READ_UNCOMMITTED
    last = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    at = [OffsetSpec.for_timestamp(moment) for moment in moments_ms]
    count = list_partitions(settings, seconds=seconds).get(topic, 0)
    ends, *found = _read_specs(settings, topic, count, (last, *at), level, seconds=seconds)
    return [
        {part: end if one[part] < 0 else min(one[part], end) for part, end in ends.items()}
        for one in found
    ]


def read_group_offsets(
    settings: KafkaSettings, group: str, topic: str, *, seconds: float = REQUEST_SECONDS
) -> dict[int, int]:
    """The next offset a consumer group would read of each partition.

    A partition for which none is stored is absent.
    """
    count = list_partitions(settings, seconds=seconds).get(topic, 0)
    parts = [TopicPartition(topic, partition) for partition in range(count)]
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


def _read_specs(
    settings: KafkaSettings,
    topic: str,
    count: int,
    specs: Iterable[OffsetSpec],
    level: IsolationLevel,
    *,
    seconds: float,
) -> list[dict[int, int]]:
    """For each of ``specs`` the offset in each partition, through one client."""
    parts = [TopicPartition(topic, partition) for partition in range(count)]
    admin = connect_admin(settings)

    def ask(spec: OffsetSpec) -> dict[int, int]:
        futures = admin.list_offsets(
            dict.fromkeys(parts, spec), isolation_level=level, request_timeout=seconds
        )
        doing = f"reading the offsets of {topic}"
        return {
            part.partition: await_answer(future, doing, seconds=seconds).offset
            for part, future in futures.items()
        }

    return [retry_busy(partial(ask, spec)) if parts else {} for spec in specs]


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
