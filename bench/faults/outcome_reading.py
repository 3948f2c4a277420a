"""Reads what a job wrote, as a consumer of committed records sees it, within given offsets."""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, TopicPartition

from bench.faults.comparison import Difference, find_difference
from bench.faults.outcomes import Outcomes, Place, read_decision, read_letter, read_revision
from pipelines.errors import TransientError
from pipelines.kafka import OffsetRange, connect_consumer, explain, read_offsets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Set

    from pipelines.settings import KafkaSettings

BATCH = 5_000
SILENCE_SECONDS = 30.0
"""A broker that gives nothing for so long has nothing that may be read."""

Ends = dict[str, dict[int, int]]
"""Where each partition of each output topic ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What one job wrote: from where the output topics ended before it to where they end after."""

    start: Ends
    end: Ends


def output_topics(kafka: KafkaSettings) -> tuple[str, ...]:
    """The topics that the job writes."""
    topics = kafka.topics()
    return (topics.decisions.name, topics.alerts.name, topics.dead_letters.name)


def read_ends(kafka: KafkaSettings, *, is_committed: bool = True) -> Ends:
    """Where the output topics end for a reader of committed records, or for any reader."""
    return {
        topic: {
            partition: held.end
            for partition, held in read_offsets(kafka, topic, is_committed=is_committed).items()
        }
        for topic in output_topics(kafka)
    }


def count_held_back(kafka: KafkaSettings) -> int:
    """Offsets of the outputs that a transaction, still open, hides from readers."""
    committed, all_there = read_ends(kafka), read_ends(kafka, is_committed=False)
    return sum(
        end - committed[topic][partition]
        for topic, ends in all_there.items()
        for partition, end in ends.items()
    )


def read_outcomes(
    kafka: KafkaSettings,
    held: Mapping[int, OffsetRange],
    span: Span,
    *,
    on_progress: Callable[[int], None],
) -> Outcomes:
    """Everything within ``span``, as digests by the record of the input it belongs to."""
    topics = kafka.topics()
    found = Outcomes(input_topic=topics.transactions.name, held=held)
    for number, (key, value) in enumerate(_read(kafka, topics.decisions.name, span), start=1):
        found.add_decision(read_decision(key, value))
        if number % 10_000 == 0:
            on_progress(number)
    for key, value in _read(kafka, topics.dead_letters.name, span):
        found.add_letter(read_letter(key, value))
    for key, value in _read(kafka, topics.alerts.name, span):
        found.add_revision(read_revision(key, value))
    return found


def read_differences(
    kafka: KafkaSettings,
    spans: tuple[Span, Span],
    wanted: Set[Place],
    *,
    on_progress: Callable[[int], None],
) -> dict[Place, Difference]:
    """In what the decisions of two jobs on the wanted records differ.

    Those of the first are held, packed, until those of the second are read: some 600 bytes each.
    """
    first, second = spans
    packed = {
        place: zlib.compress(value, level=1) for place, value in _bodies(kafka, first, wanted)
    }
    found: dict[Place, Difference] = {}
    for place, value in _bodies(kafka, second, packed.keys()):
        found[place] = find_difference(zlib.decompress(packed.pop(place)), value)
        if len(found) % 10_000 == 0:
            on_progress(len(found))
    return found


def _bodies(kafka: KafkaSettings, span: Span, wanted: Set[Place]) -> Iterator[tuple[Place, bytes]]:
    if not wanted:
        return
    for key, value in _read(kafka, kafka.topics().decisions.name, span):
        place = read_decision(key, value).place
        if place in wanted and value is not None:
            yield place, value


def _read(
    kafka: KafkaSettings, topic: str, span: Span
) -> Iterator[tuple[bytes | None, bytes | None]]:
    """Keys and values of the committed records of a span, each partition in its order."""
    start, end = span.start[topic], span.end[topic]
    open_parts = {partition for partition in end if start[partition] < end[partition]}
    if not open_parts:
        return
    consumer = connect_consumer(kafka, group=f"{topic}-bench")
    try:
        consumer.assign([TopicPartition(topic, part, start[part]) for part in open_parts])
        heard_at = time.monotonic()
        while open_parts:
            messages = consumer.consume(BATCH, 0.2)
            for message in messages:
                error = message.error()
                if error is not None:
                    raise explain(KafkaException(error), f"reading topic {topic}")
                part, offset = message.partition(), message.offset()
                if part is not None and offset is not None and offset < end[part]:
                    yield message.key(), message.value()
            # The last offsets are the markers of transactions, which are no messages: only the
            # position tells that a partition was read to its end.
            for position in consumer.position([TopicPartition(topic, part) for part in open_parts]):
                if position.offset >= end[position.partition]:
                    open_parts.discard(position.partition)
            heard_at = time.monotonic() if messages else heard_at
            if time.monotonic() - heard_at > SILENCE_SECONDS:
                msg = f"topic {topic} gives nothing more before its end, in partitions {open_parts}"
                raise TransientError(msg)
    finally:
        consumer.close()
