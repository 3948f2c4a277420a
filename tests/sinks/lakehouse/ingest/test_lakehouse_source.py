"""What a broker may answer that no test can make it answer; the rest is in the live tests."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from decision_records import at

from pipelines.errors import TransientError
from pipelines.kafka import OffsetRange
from pipelines.settings import KafkaSettings
from sinks.lakehouse.ingest import source as module
from sinks.lakehouse.ingest.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def source(monkeypatch: pytest.MonkeyPatch) -> Iterator[Source]:
    monkeypatch.setattr(Source, "_identify", lambda _: ("cluster", "topic-1"))
    nowhere = KafkaSettings(bootstrap_servers="127.0.0.1:1")
    opened = Source(nowhere, topic="decisions", group="test")
    yield opened
    opened.close()


def test_a_partition_that_the_broker_does_not_show_is_waited_for_and_not_begun_anew(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the next look it would count as new, and all of its records be stored twice."""
    held = {0: OffsetRange(start=0, end=5)}
    monkeypatch.setattr(module, "read_offsets", lambda *_: held)
    stored = dataclasses.replace(at(5), next_offsets={0: 5, 1: 7})

    with pytest.raises(TransientError, match=r"Kafka shows no partitions \[1\] of decisions"):
        source.start(stored)

    held[1] = OffsetRange(start=0, end=9)
    source.start(stored)
    assert source.position(dead_letters=0) == stored
