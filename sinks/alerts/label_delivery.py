"""Labels of one verdict into the topic, all or none, once however often it is tried.

The producer's transactional id is the alert's. So when a producer of it has been initialised,
what an earlier one sent is either there or aborted, and cannot come any more: it is enough to
look whether the case still waits for these labels, and whether the verdict's id stands in the
topic already. Each label bears the verdict's time, not that of whoever sends it: so it is searched
for from there, whatever the clocks of two senders say.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from pipelines.contracts.label import encode_label
from pipelines.errors import TransientError
from pipelines.kafka import connect_consumer, connect_producer, create_topics, read_offsets

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipelines.contracts.label import Label
    from pipelines.settings import KafkaSettings

HEADER = "verdict_id"
PATIENCE_SECONDS = 30.0
CLOCK_SLACK_MS = 60_000
"""So much may a broker that stamps records itself be behind the verdict's clock."""


def deliver(
    settings: KafkaSettings,
    labels: Sequence[Label],
    *,
    label_id: str,
    alert_id: str,
    is_current: Callable[[], bool],
) -> int:
    """See that ``labels`` are in the topic; how many were sent now, 0 if they were there.

    ``is_current`` says whether the case still waits for them; it is asked when nobody else can
    be sending. If not, somebody else has sent them, and nothing is sent. TransientError when it is
    not known what is there: call it again.
    """
    if not labels:
        return 0
    topic = settings.topics().labels
    try:
        create_topics(settings, (topic,))
        producer = _open(settings, alert_id)
        # Whoever wants to put the next verdict into the case must finish this one, and so fence
        # this producer off: what is current now is so until the commit.
        if not is_current():
            return 0
        since_ms = min(label.label_time_ms for label in labels) - CLOCK_SLACK_MS
        if _holds(settings, topic.name, label_id, since_ms=since_ms):
            return 0
        producer.begin_transaction()
        for label in labels:
            producer.produce(
                topic.name,
                key=label.card_id.encode(),
                value=encode_label(label),
                headers=[(HEADER, label_id.encode())],
                timestamp=label.label_time_ms,
            )
        producer.commit_transaction(PATIENCE_SECONDS)
    except (KafkaException, BufferError, TimeoutError) as error:
        reason = error.args[0].str() if isinstance(error, KafkaException) else str(error)
        msg = (
            f"the labels of alert {alert_id} may not be in {topic.name} yet: Kafka: {reason}. "
            "The case has the verdict; `fraudlake alerts send-verdicts` sends what is missing"
        )
        raise TransientError(msg) from error
    return len(labels)


def _open(settings: KafkaSettings, alert_id: str) -> Producer:
    producer = connect_producer(
        settings, **{"transactional.id": f"{settings.topic_prefix}verdict.{alert_id}"}
    )
    producer.init_transactions(PATIENCE_SECONDS)
    return producer


def _holds(settings: KafkaSettings, topic: str, label_id: str, *, since_ms: int) -> bool:
    """Whether a committed record of the topic, not older than ``since_ms``, has the id.

    Everything that is in the topic by now is looked at: what lies behind somebody else's open
    transaction is waited for.
    """
    committed = read_offsets(settings, topic)
    ends = {
        part: one.end for part, one in read_offsets(settings, topic, is_committed=False).items()
    }
    consumer = connect_consumer(
        settings,
        group=f"{settings.topic_prefix}verdict-search",
        **{"enable.partition.eof": True},
    )
    try:
        wanted = [TopicPartition(topic, part, max(since_ms, 0)) for part in ends]
        places = {
            # -1: nothing before the first open transaction is as young.
            one.partition: one.offset if one.offset >= 0 else committed[one.partition].end
            for one in consumer.offsets_for_times(wanted, PATIENCE_SECONDS)
        }
        consumer.assign([TopicPartition(topic, part, at) for part, at in places.items()])
        stable = {part: one.end for part, one in committed.items()}
        return _scan(consumer, label_id.encode(), places, ends, stable=stable)
    finally:
        consumer.close()


def _scan(
    consumer: Consumer,
    label_id: bytes,
    places: dict[int, int],
    ends: Mapping[int, int],
    *,
    stable: Mapping[int, int],
) -> bool:
    """Read from ``places`` up to ``ends``; TimeoutError when it does not get on for a while."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while unread := [part for part, end in ends.items() if places[part] < end]:
        if time.monotonic() > deadline:
            raise TimeoutError(_explain_halt(unread, places, ends, stable=stable))
        before = dict(places)
        for message in consumer.consume(1000, 0.5):
            error = message.error()
            partition, offset = cast("int", message.partition()), cast("int", message.offset())
            if error is None:
                if (HEADER, label_id) in (message.headers() or ()):
                    return True
                places[partition] = offset + 1
            elif error.code() == KafkaError._PARTITION_EOF:
                # Behind the mark that ends a transaction, which is no record.
                places[partition] = max(places[partition], offset)
            else:
                raise KafkaException(error)
        if places != before:
            deadline = time.monotonic() + PATIENCE_SECONDS
    return False


def _explain_halt(
    unread: Sequence[int],
    places: Mapping[int, int],
    ends: Mapping[int, int],
    *,
    stable: Mapping[int, int],
) -> str:
    """What kept the search from its end: of another producer, or of the broker."""
    if all(places[part] >= stable[part] for part in unread):
        return f"a transaction of another producer was open for {PATIENCE_SECONDS:.0f} s"
    left = sum(ends[part] - places[part] for part in unread)
    return f"the broker sent nothing for {PATIENCE_SECONDS:.0f} s, {left:,} records before the end"
