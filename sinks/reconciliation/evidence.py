"""Reading what each system holds: the topics whole, read committed, then the table and the index.

The input is read first, up to where it ends at that moment; what comes later does not count, so a
running stream can be reconciled. Memory: one byte for each offset, and the alert ids.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import orjson
from confluent_kafka import OFFSET_BEGINNING, KafkaError, Message, TopicPartition

from pipelines.errors import TransientError
from pipelines.kafka import OffsetRange, connect_consumer, read_offsets
from sinks.alerts.search import read_alert_ids
from sinks.lakehouse.sources import scan_sources
from sinks.reconciliation.counts import Evidence, OffsetCounts

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.settings import KafkaSettings, Settings

BATCH = 5000
POLL_SECONDS = 0.2
IDLE_SECONDS = 30.0


def gather(settings: Settings) -> Evidence:
    """Read everything there is of the input that is retained now."""
    topics = settings.kafka.topics()
    transactions = OffsetCounts()
    _read_topic(
        settings.kafka,
        topics.transactions.name,
        lambda message: transactions.add(_partition(message), _offset(message)),
    )
    decisions, dead_letters = OffsetCounts(), OffsetCounts()
    flagged: Counter[str] = Counter()
    alerts: Counter[str] = Counter()

    def on_decision(message: Message) -> None:
        decision = orjson.loads(_value(message))
        _add_if_input(transactions, decisions, decision["source"])
        if decision["alert_id"] is not None:
            flagged[decision["alert_id"]] += 1

    def on_dead_letter(message: Message) -> None:
        letter = orjson.loads(_value(message))
        if letter["topic"] == topics.transactions.name and letter["stage"] == "decode":
            _add_if_input(transactions, dead_letters, letter)

    def on_alert(message: Message) -> None:
        alerts[orjson.loads(_value(message))["alert_id"]] += 1

    _read_topic(settings.kafka, topics.decisions.name, on_decision)
    _read_topic(settings.kafka, topics.dead_letters.name, on_dead_letter)
    _read_topic(settings.kafka, topics.alerts.name, on_alert)
    return Evidence(
        transactions=transactions,
        decisions=decisions,
        dead_letters=dead_letters,
        lake_decisions=_read_table(settings, "decisions", transactions),
        lake_dead_letters=_read_table(settings, "dead_letters", transactions),
        flagged=flagged,
        alerts=alerts,
        documents=Counter(read_alert_ids(settings)),
    )


def _add_if_input(transactions: OffsetCounts, counts: OffsetCounts, place: dict[str, Any]) -> None:
    """Count what came from the input as it was read: neither expired nor too new."""
    partition, offset = int(place["partition"]), int(place["offset"])
    if transactions.count(partition, offset) > 0:
        counts.add(partition, offset)


def _read_table(settings: Settings, table: str, transactions: OffsetCounts) -> OffsetCounts:
    topic = settings.kafka.topics().transactions.name
    counts = OffsetCounts()
    for source_topic, partition, offset in scan_sources(settings, table):
        if source_topic == topic and transactions.count(partition, offset) > 0:
            counts.add(partition, offset)
    return counts


def _read_topic(kafka: KafkaSettings, topic: str, on_message: Callable[[Message], None]) -> None:
    ranges = read_offsets(kafka, topic)
    left = {partition for partition, held in ranges.items() if held.end > held.start}
    if not left:
        return
    consumer = connect_consumer(
        kafka, group="fraudlake-reconcile", **{"enable.partition.eof": True}
    )
    try:
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in left])
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
                _take(message, topic, ranges, left, on_message)
    finally:
        consumer.close()


def _take(
    message: Message,
    topic: str,
    ranges: dict[int, OffsetRange],
    left: set[int],
    on_message: Callable[[Message], None],
) -> None:
    """Hand on a record of the range; note the end of a partition, which is no error."""
    error = message.error()
    partition = _partition(message)
    if error is not None:
        if error.code() != KafkaError._PARTITION_EOF:
            msg = f"topic {topic} cannot be read: {error.str()}"
            raise TransientError(msg)
        left.discard(partition)
    elif _offset(message) < ranges[partition].end:
        on_message(message)
    else:
        left.discard(partition)


def _partition(message: Message) -> int:
    partition = message.partition()
    assert partition is not None, "a fetched message has a partition"
    return partition


def _offset(message: Message) -> int:
    offset = message.offset()
    assert offset is not None, "a fetched message has an offset"
    return offset


def _value(message: Message) -> bytes:
    value = message.value()
    assert isinstance(value, bytes), "our own records always have a value"
    return value
