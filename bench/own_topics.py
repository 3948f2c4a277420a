"""Topics of a benchmark's own, so that it reads and writes nothing else."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipelines.kafka import create_topics, delete_topics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings


def with_prefix(settings: Settings, prefix: str) -> Settings:
    """The settings with topics whose names begin with ``prefix``."""
    kafka = dataclasses.replace(settings.kafka, topic_prefix=prefix)
    return dataclasses.replace(settings, kafka=kafka)


@contextmanager
def own_topics(settings: Settings, prefix: str) -> Iterator[Settings]:
    """The settings of topics that are made here and deleted in the end, whatever became of it."""
    own = with_prefix(settings, prefix)
    topics = own.kafka.topics().all()
    create_topics(own.kafka, topics)
    try:
        yield own
    finally:
        delete_topics(own.kafka, topics)
