"""One topic as the sink reads it: committed records, from the offsets the table asks for.

The source never starts anywhere on its own and never jumps. Before it reads, it proves that the
topic is the one the table was filled from and that nothing in between is gone; otherwise SinkError.
With ``accept_gap`` what is gone is logged and left out for ever.

Partitions are assigned by hand, so no other member can take one away. The consumer group holds
offsets for lag tools only; the sink never reads them.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from confluent_kafka import (
    KafkaError,
    KafkaException,
    Message,
    TopicCollection,
    TopicPartition,
)

from pipelines.errors import SinkError, TransientError
from pipelines.kafka import (
    REQUEST_SECONDS,
    OffsetRange,
    connect_admin,
    connect_consumer,
    read_offsets,
)
from sinks.lakehouse.position import Position

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import KafkaSettings, Settings
    from sinks.lakehouse.ingest.records import Records

_LOG = logging.getLogger(__name__)
# Bounds what waits in memory, whatever the number of partitions and the size of records.
QUEUE_KBYTES = 32_768
LARGEST_RECORD = 1_048_576
"""As large as a record is until its like has been seen."""
SLICE = 500
"""Records asked for at once: the fastest."""


def name_group(settings: Settings) -> str:
    """The consumer group whose offsets show the sink's lag; another namespace is another group."""
    return f"{settings.kafka.topic_prefix}lakehouse-sink.{settings.lakehouse.namespace}"


class Source:
    """An open reader of one topic."""

    def __init__(
        self, settings: KafkaSettings, *, topic: str, group: str, accept_gap: bool = False
    ) -> None:
        self._settings = settings
        self._topic = topic
        self._accept_gap = accept_gap
        self._admin = connect_admin(settings)
        self._consumer = connect_consumer(
            settings,
            group=group,
            **{
                # Tells the offset behind a transaction's end mark, which no record would.
                "enable.partition.eof": True,
                "queued.max.messages.kbytes": QUEUE_KBYTES,
            },
        )
        self._next: dict[int, int] = {}
        self._cluster_id = ""
        self._topic_id = ""

    def start(self, stored: Position | None) -> None:
        """Check ``stored`` against the topic and go to it; None: to the oldest record."""
        self._cluster_id, self._topic_id = self._identify()
        held = self._held()
        wanted: dict[int, int] = {} if stored is None else dict(stored.next_offsets)
        if stored is not None and not self._is_same_topic(stored):
            wanted = {}
            stored = None
        unseen = sorted(wanted.keys() - held.keys())
        if unseen:
            # A topic never loses partitions: the broker's answer is incomplete.
            msg = (
                f"Kafka shows no partitions {unseen} of {self._topic}, of which the table has "
                "records"
            )
            raise TransientError(msg)
        self._next = {}
        for partition, range_ in held.items():
            start = wanted.get(partition, range_.start if stored is None else 0)
            if range_.start <= start <= range_.end:
                self._next[partition] = start
            else:
                self._next[partition] = self._bridge(partition, start, range_.start, range_.end)
        self._assign()

    def verify(self) -> None:
        """TransientError if what was read may be of another topic than the one it began with.

        Ask before the position is stored: a topic that was deleted and created again meanwhile has
        other records under the same offsets.
        """
        if self._identify_topic() != self._topic_id:
            msg = f"topic {self._topic} was deleted and created again while the sink was reading it"
            raise TransientError(msg)  # the next start compares it with what the table knows

    def grow(self) -> None:
        """Take in partitions that were added to the topic, from their first record."""
        self.verify()
        added = self._held().keys() - self._next.keys()
        if added:
            _LOG.info("event=partitions_added topic=%s partitions=%s", self._topic, sorted(added))
            self._next.update(dict.fromkeys(added, 0))
            self._assign()

    def read(self, records: Records, *, count: int, size: int, seconds: float) -> int:
        """Add up to ``count`` records, or ``size`` bytes, to ``records`` after ``seconds`` at most.

        How many came, transactions' end marks that moved the position included. Only where records
        become larger all of a sudden, more than ``size`` may come: what the client had at hand.
        """
        moved = 0
        wanted, most = len(records) + count, records.size_bytes + size
        each = LARGEST_RECORD
        while len(records) < wanted and records.size_bytes < most:
            fitting = max(1, (most - records.size_bytes) // each)
            known = len(records), records.size_bytes
            messages = self._consume(min(SLICE, wanted - len(records), fitting), seconds)
            if not messages:
                break
            moved += self._take(messages, records)
            if len(records) > known[0]:
                each = max(1, (records.size_bytes - known[1]) // (len(records) - known[0]))
            seconds = 0.0  # what else is at hand
        return moved

    def position(self, *, dead_letters: int) -> Position:
        """Behind everything that ``read`` has returned."""
        return Position(
            cluster_id=self._cluster_id,
            topic_id=self._topic_id,
            topic=self._topic,
            next_offsets=dict(self._next),
            dead_letters=dead_letters,
        )

    def show_lag(self) -> None:
        """Store the offsets in the group, for lag tools; nothing depends on that it succeeds."""
        offsets = [TopicPartition(self._topic, part, at) for part, at in self._next.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            reason = error.args[0].str()
            _LOG.warning("event=group_offsets_failed topic=%s reason=%r", self._topic, reason)

    def close(self) -> None:
        """End the connections."""
        self._consumer.close()

    def _consume(self, count: int, seconds: float) -> list[Message]:
        try:
            return self._consumer.consume(count, seconds)
        except KafkaException as error:
            msg = f"Kafka: {error.args[0].str()}"
            raise TransientError(msg) from error

    def _take(self, messages: list[Message], records: Records) -> int:
        moved = 0
        for message in messages:
            # Both are there in every message that a consumer hands out, errors included.
            partition = cast("int", message.partition())
            offset = cast("int", message.offset())
            fault = message.error()
            if fault is None:
                records.add(
                    value=message.value(),
                    partition=partition,
                    offset=offset,
                    time_ms=message.timestamp()[1],
                )
                self._next[partition] = offset + 1
                moved += 1
            elif fault.code() == KafkaError._PARTITION_EOF:
                moved += offset > self._next[partition]
                self._next[partition] = max(self._next[partition], offset)
            else:
                self._fail(partition, fault)
        return moved

    def _assign(self) -> None:
        parts = [TopicPartition(self._topic, part, at) for part, at in self._next.items()]
        self._consumer.assign(parts)

    def _held(self) -> dict[int, OffsetRange]:
        try:
            return read_offsets(self._settings, self._topic)
        except (KafkaException, TimeoutError) as error:
            msg = f"offsets of topic {self._topic} cannot be read: {error}"
            raise TransientError(msg) from error

    def _identify(self) -> tuple[str, str]:
        with self._described():
            cluster = self._admin.describe_cluster(request_timeout=REQUEST_SECONDS)
            cluster_id = cluster.result(REQUEST_SECONDS).cluster_id
        return str(cluster_id), self._identify_topic()

    def _identify_topic(self) -> str:
        with self._described():
            topics = self._admin.describe_topics(
                TopicCollection([self._topic]), request_timeout=REQUEST_SECONDS
            )
            return str(topics[self._topic].result(REQUEST_SECONDS).topic_id)

    @contextmanager
    def _described(self) -> Iterator[None]:
        try:
            yield
        except (KafkaException, TimeoutError) as error:
            msg = f"topic {self._topic} cannot be described: {error}"
            raise TransientError(msg) from error

    def _is_same_topic(self, stored: Position) -> bool:
        if (stored.cluster_id, stored.topic_id) == (self._cluster_id, self._topic_id):
            return True
        if stored.cluster_id != self._cluster_id:
            what = (
                f"the table was filled from cluster {stored.cluster_id}, "
                f"{self._settings.bootstrap_servers} is cluster {self._cluster_id}"
            )
        else:
            what = f"topic {self._topic} was deleted and created again since"
        self._refuse(
            f"{what}: the stored offsets {dict(stored.next_offsets)} mean nothing there",
            instead="begin at the oldest record there is",
        )
        return False

    def _bridge(self, partition: int, start: int, oldest: int, end: int) -> int:
        """Where to go on when ``start`` is not there, if that is accepted."""
        place = f"partition {partition} of {self._topic}"
        if start < oldest:
            what = f"{place} begins at {oldest}, the table goes on at {start}: " + (
                f"up to {oldest - start} records were deleted before they were stored"
            )
        else:
            what = f"{place} ends at {end}, the table goes on at {start}: the log was cut"
        bridge = min(max(start, oldest), end)
        self._refuse(what, instead=f"go on at {bridge}")
        return bridge

    def _refuse(self, what: str, *, instead: str) -> None:
        if not self._accept_gap:
            msg = (
                f"{what}. To accept that and {instead}, run "
                "`fraudlake sink lakehouse --accept-gap` once; to keep this table as it is, "
                "write to another FRAUDLAKE_LAKEHOUSE_NAMESPACE"
            )
            raise SinkError(msg)
        _LOG.warning("event=gap_accepted what=%r", what)

    def _fail(self, partition: int, error: KafkaError) -> None:
        if error.code() == KafkaError._AUTO_OFFSET_RESET:
            # Checked again at the next start, which then says what is missing.
            msg = f"partition {partition} of {self._topic} no longer holds the next record"
            raise TransientError(msg)
        if error.code() in {KafkaError.TOPIC_AUTHORIZATION_FAILED, KafkaError._AUTHENTICATION}:
            msg = f"Kafka: {error.str()}. Check the rights of the sink's user"
            raise SinkError(msg)
        msg = f"Kafka: {error.str()}"
        raise TransientError(msg)
