"""The one module that talks to Kafka's admin and hands out clients with the right settings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from confluent_kafka import (
    Consumer,
    ConsumerGroupTopicPartitions,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec

from pipelines.errors import TerminalError, TransientError
from pipelines.settings import KafkaSettings
from pipelines.topics import Topic

REQUEST_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetRange:
    """What one partition holds: offsets from ``start`` up to, not including, ``end``."""

    start: int
    end: int


def connect_admin(settings: KafkaSettings) -> AdminClient:
    """A client for topics and offsets; connects when first used."""
    return AdminClient({"bootstrap.servers": settings.bootstrap_servers, "log_level": 0})


def connect_producer(settings: KafkaSettings, **extra: object) -> Producer:
    """An idempotent producer: every record acknowledged by all replicas, in order, once."""
    return Producer(
        {
            "bootstrap.servers": settings.bootstrap_servers,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 5,
            "partitioner": "murmur2_random",
            "log_level": 0,
            **extra,
        }
    )


def connect_consumer(settings: KafkaSettings, *, group: str, **extra: object) -> Consumer:
    """A consumer of committed records that never commits or resets offsets by itself."""
    return Consumer(
        {
            "bootstrap.servers": settings.bootstrap_servers,
            "group.id": group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "log_level": 0,
            **extra,
        }
    )


def create_topics(settings: KafkaSettings, topics: Iterable[Topic]) -> list[str]:
    """Create the topics that are missing; the names of those created. Idempotent.

    An existing topic with another number of partitions is refused: a card's records would no
    longer stay in one order. Raises TransientError when the broker cannot be reached.
    """
    admin = connect_admin(settings)
    existing = list_partitions(settings)
    created: list[str] = []
    for topic in topics:
        if topic.name in existing:
            _check_partitions(topic, existing[topic.name])
            continue
        wanted = NewTopic(topic.name, num_partitions=topic.partitions, config=topic.config())
        try:
            admin.create_topics([wanted])[topic.name].result(REQUEST_SECONDS)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS:
                msg = f"topic {topic.name} could not be created: {error.args[0].str()}"
                raise TerminalError(msg) from error
        else:
            created.append(topic.name)
    return created


def _check_partitions(topic: Topic, found: int) -> None:
    if found != topic.partitions:
        msg = (
            f"topic {topic.name} has {found} partitions, the settings say {topic.partitions}. "
            f"Set FRAUDLAKE_KAFKA_PARTITIONS={found}, or choose another FRAUDLAKE_KAFKA_TOPIC_PREFIX"
        )
        raise TerminalError(msg)


def list_partitions(settings: KafkaSettings) -> dict[str, int]:
    """The number of partitions of every topic; TransientError when no broker answers."""
    try:
        metadata = connect_admin(settings).list_topics(timeout=REQUEST_SECONDS)
    except KafkaException as error:
        msg = (
            f"no Kafka broker answers at {settings.bootstrap_servers}: {error.args[0].str()}. "
            "Start the local one with `fraudlake up`, or set FRAUDLAKE_KAFKA_BOOTSTRAP_SERVERS"
        )
        raise TransientError(msg) from error
    return {name: len(topic.partitions) for name, topic in metadata.topics.items()}


def read_offsets(settings: KafkaSettings, topic: str) -> dict[int, OffsetRange]:
    """What each partition of ``topic`` holds of committed records; empty if it does not exist."""
    count = list_partitions(settings).get(topic, 0)
    parts = [TopicPartition(topic, partition) for partition in range(count)]
    admin = connect_admin(settings)
    starts = _list_offsets(admin, {part: OffsetSpec.earliest() for part in parts})
    ends = _list_offsets(admin, {part: OffsetSpec.latest() for part in parts})
    return {part: OffsetRange(start=starts[part], end=ends[part]) for part in starts}


def _list_offsets(
    admin: AdminClient, wanted: Mapping[TopicPartition, OffsetSpec]
) -> dict[int, int]:
    if not wanted:
        return {}
    futures = admin.list_offsets(
        dict(wanted),
        isolation_level=IsolationLevel.READ_COMMITTED,
        request_timeout=REQUEST_SECONDS,
    )
    return {
        part.partition: future.result(REQUEST_SECONDS).offset for part, future in futures.items()
    }


def read_group_offsets(settings: KafkaSettings, group: str, topic: str) -> dict[int, int]:
    """The next offset a consumer group would read of each partition; absent where none is stored."""
    request = [ConsumerGroupTopicPartitions(group)]
    # The client must outlive its futures: a collected one never answers.
    admin = connect_admin(settings)
    futures = admin.list_consumer_group_offsets(request, request_timeout=REQUEST_SECONDS)
    stored = futures[group].result(REQUEST_SECONDS).topic_partitions
    return {
        part.partition: part.offset for part in stored if part.topic == topic and part.offset >= 0
    }
