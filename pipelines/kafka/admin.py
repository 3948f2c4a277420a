"""The topics of a cluster: made, deleted and counted; and a limit that its brokers set."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from pipelines.errors import FraudlakeError, TerminalError, TransientError
from pipelines.kafka.answers import (
    BUSY_PAUSE_SECONDS,
    REQUEST_SECONDS,
    await_answer,
    code_of,
    sentence_of,
)
from pipelines.kafka.clients import connect_admin

if TYPE_CHECKING:
    from collections.abc import Iterable

    from confluent_kafka.admin import AdminClient
    from confluent_kafka.admin._metadata import ClusterMetadata

    from pipelines.settings import KafkaSettings
    from pipelines.topics import Topic


def create_topics(settings: KafkaSettings, topics: Iterable[Topic]) -> list[str]:
    """Create the topics that are missing; the names of those created. Idempotent.

    Returns when the broker lists them all. An existing topic with another number of partitions is
    refused: a card's records would no longer stay in one order.
    """
    admin = connect_admin(settings)
    existing = list_partitions(settings)
    created: list[str] = []
    for topic in topics:
        if topic.name in existing:
            _check_partitions(topic, existing[topic.name])
        elif _create_topic(admin, topic):
            created.append(topic.name)
    _await_listed(settings, created)
    return created


def delete_topics(settings: KafkaSettings, topics: Iterable[Topic]) -> None:
    """Delete the topics and all their records; those that do not exist are passed over."""
    admin = connect_admin(settings)
    existing = list_partitions(settings)
    names = [topic.name for topic in topics if topic.name in existing]
    for name, future in (admin.delete_topics(names) if names else {}).items():
        await_answer(future, f"deleting topic {name}")


def list_partitions(settings: KafkaSettings, *, seconds: float = REQUEST_SECONDS) -> dict[str, int]:
    """The number of partitions of every topic; TransientError when no broker answers."""
    return count_partitions(connect_admin(settings), settings, seconds=seconds)


def count_partitions(
    admin: AdminClient, settings: KafkaSettings, *, seconds: float = REQUEST_SECONDS
) -> dict[str, int]:
    """As ``list_partitions``, with a client at hand."""
    metadata = _read_metadata(admin, settings, seconds=seconds)
    return {name: len(topic.partitions) for name, topic in metadata.topics.items()}


def read_topic_settings(settings: KafkaSettings, topic: str) -> dict[str, str]:
    """What the broker has set for a topic, by Kafka's names, defaults included."""
    resource = ConfigResource(ResourceType.TOPIC, topic)
    admin = connect_admin(settings)
    future = admin.describe_configs([resource], request_timeout=REQUEST_SECONDS)[resource]
    found = await_answer(future, f"reading the settings of topic {topic}")
    return {name: str(entry.value) for name, entry in found.items()}


def read_transaction_limit_s(settings: KafkaSettings, *, seconds: float = REQUEST_SECONDS) -> int:
    """How long the broker lets a transaction stay open, ``transaction.max.timeout.ms``.

    TransientError when no broker answers.
    """
    admin = connect_admin(settings)
    broker = min(_read_metadata(admin, settings, seconds=seconds).brokers)
    resource = ConfigResource(ResourceType.BROKER, str(broker))
    future = admin.describe_configs([resource], request_timeout=REQUEST_SECONDS)[resource]
    found = await_answer(future, f"reading the settings of broker {broker}")
    return int(found["transaction.max.timeout.ms"].value) // 1000


def _read_metadata(
    admin: AdminClient, settings: KafkaSettings, *, seconds: float
) -> ClusterMetadata:
    try:
        return admin.list_topics(timeout=seconds)
    except KafkaException as error:
        msg = (
            f"no Kafka broker answers at {settings.bootstrap_servers}: {sentence_of(error)}. "
            "Start the local one with `fraudlake up`, or set FRAUDLAKE_KAFKA_BOOTSTRAP_SERVERS"
        )
        raise TransientError(msg) from error


def _create_topic(admin: AdminClient, topic: Topic) -> bool:
    """False when somebody else created it in the meantime."""
    wanted = NewTopic(topic.name, num_partitions=topic.partitions, config=topic.config())
    future = admin.create_topics([wanted])[topic.name]
    try:
        await_answer(future, f"creating topic {topic.name}")
    except FraudlakeError as error:
        if code_of(error.__cause__) == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise
    return True


def _check_partitions(topic: Topic, found: int) -> None:
    if found != topic.partitions:
        msg = (
            f"topic {topic.name} has {found} partitions, the settings say {topic.partitions}. Set "
            f"FRAUDLAKE_KAFKA_PARTITIONS={found}, or choose another FRAUDLAKE_KAFKA_TOPIC_PREFIX"
        )
        raise TerminalError(msg)


def _await_listed(settings: KafkaSettings, names: list[str]) -> None:
    deadline = time.monotonic() + REQUEST_SECONDS
    while missing := sorted(set(names) - list_partitions(settings).keys()):
        if time.monotonic() > deadline:
            msg = f"the broker still does not list {', '.join(missing)}; try again"
            raise TransientError(msg)
        time.sleep(BUSY_PAUSE_SECONDS)
