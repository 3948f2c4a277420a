"""Kafka's clients with the right settings; each connects when first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from pipelines.topics import LARGEST_OUTPUT_BYTES

if TYPE_CHECKING:
    from pipelines.settings import KafkaSettings


def connect_admin(settings: KafkaSettings) -> AdminClient:
    """A client for topics and offsets."""
    return AdminClient({"bootstrap.servers": settings.bootstrap_servers, "log_level": 0})


def connect_producer(settings: KafkaSettings, **extra: object) -> Producer:
    """An idempotent producer: every record acknowledged by all replicas, in order, once."""
    return Producer(
        {
            "bootstrap.servers": settings.bootstrap_servers,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 5,
            # What is too large for a topic is the broker's to say.
            "message.max.bytes": LARGEST_OUTPUT_BYTES,
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
