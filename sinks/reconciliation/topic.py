"""Reading a stretch of a topic, committed records only, as fast as the broker sends them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, TopicPartition

from pipelines.errors import TransientError
from pipelines.kafka import connect_consumer

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Message

    from pipelines.settings import KafkaSettings
    from sinks.reconciliation.counts import Stretch

BATCH = 5000
POLL_SECONDS = 0.2
IDLE_SECONDS = 30.0


def read_topic(
    kafka: KafkaSettings,
    topic: str,
    stretch: Stretch,
    *,
    on_record: Callable[[Message], None],
    on_progress: Callable[[int], None] = lambda _: None,
) -> None:
    """Hand each record of the stretch to ``on_record``, and the number read to ``on_progress``."""
    left = {partition for partition, held in stretch.items() if held}
    if not left:
        return
    records = 0

    def count_record(message: Message) -> None:
        nonlocal records
        records += 1
        on_record(message)

    # The end of a partition is told apart: its last offsets may hold no record but a commit.
    consumer = connect_consumer(
        kafka, group="fraudlake-reconcile", **{"enable.partition.eof": True}
    )
    try:
        consumer.assign(
            [TopicPartition(topic, partition, stretch[partition].start) for partition in left]
        )
        deadline = time.monotonic() + IDLE_SECONDS
        while left:
            # consume() waits for a full batch or the time: keep the time short.
            batch = consumer.consume(BATCH, POLL_SECONDS)
            if batch:
                deadline = time.monotonic() + IDLE_SECONDS
            elif time.monotonic() > deadline:
                msg = f"topic {topic}: the broker sent nothing for {IDLE_SECONDS:.0f} s"
                raise TransientError(msg)
            for message in batch:
                _take(message, topic, stretch, left, count_record)
            on_progress(records)
    finally:
        consumer.close()


def place_of(message: Message) -> tuple[int, int]:
    """Partition and offset of a fetched record."""
    partition, offset = message.partition(), message.offset()
    assert partition is not None, "a fetched record has a partition"
    assert offset is not None, "a fetched record has an offset"
    return partition, offset


def _take(
    message: Message,
    topic: str,
    stretch: Stretch,
    left: set[int],
    on_record: Callable[[Message], None],
) -> None:
    """Hand on a record of the stretch; note the end of a partition, which is no error."""
    error = message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:
        msg = f"topic {topic} cannot be read: {error.str()}"
        raise TransientError(msg)
    partition, offset = place_of(message)
    if error is not None:
        left.discard(partition)
    elif offset in stretch[partition]:
        on_record(message)
    else:
        left.discard(partition)
