"""The Kafka broker, as Dagster asks it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.kafka import create_topics, read_offsets, read_topic_settings
from pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.topics import Topic, Topics


class Broker:
    """The Kafka broker."""

    def topics(self) -> Topics:
        """The topics as they are named and split on this broker."""
        return Settings.from_env().kafka.topics()

    def create(self, topic: Topic) -> bool:
        """See that the topic exists; True if it had to be made."""
        return topic.name in create_topics(Settings.from_env().kafka, [topic])

    def read_settings(self, topic: Topic) -> Mapping[str, str]:
        """How the broker keeps the topic, by Kafka's names."""
        return read_topic_settings(Settings.from_env().kafka, topic.name)

    def count_records(self, topic: Topic) -> int:
        """How many records the topic holds."""
        held = read_offsets(Settings.from_env().kafka, topic.name)
        return sum(part.end - part.start for part in held.values())
