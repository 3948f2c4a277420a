"""Sends records to Kafka: each is acknowledged or counted as failed, none is lost unseen."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Protocol

from confluent_kafka import KafkaException

from pipelines.errors import TransientError
from pipelines.kafka import connect_producer, explain

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

    from pipelines.settings import KafkaSettings

DELIVERY_SECONDS = 120.0
"""How long a record may wait for the broker before it counts as failed."""


class RecordSender(Protocol):
    """Where a stream of records goes; counts are by topic and may lag until ``flush``."""

    acknowledged: Counter[str]
    failed: Counter[str]
    last_failure: str | None

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Hand over one record, waiting for room; records of one key keep their order."""

    def wait(self, seconds: float) -> None:
        """Let ``seconds`` pass, doing what is due meanwhile."""

    def flush(self) -> None:
        """Return when every record handed over is acknowledged or has failed."""


class KafkaSender:
    """The RecordSender of a broker, idempotent: a record that is acknowledged is there once."""

    def __init__(self, settings: KafkaSettings, **extra: object) -> None:
        self.acknowledged: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.last_failure: str | None = None
        limits = {"message.timeout.ms": int(DELIVERY_SECONDS * 1000)}
        self._producer = connect_producer(settings, **{**limits, **extra})
        self._sent = 0

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        """Raises TransientError or TerminalError when the client itself cannot go on."""
        while True:
            try:
                self._producer.produce(topic, value, key, on_delivery=self._report)
            except BufferError:
                self._producer.poll(0.1)
            except KafkaException as error:
                raise explain(error, f"sending to topic {topic}") from error
            else:
                break
        self._sent += 1
        if self._sent % 1000 == 0:
            self._producer.poll(0)

    def wait(self, seconds: float) -> None:
        self._producer.poll(seconds)

    def flush(self) -> None:
        # The client gives up each record in time by itself; the margin is for its last reports.
        left = self._producer.flush(DELIVERY_SECONDS + 10)
        if left > 0:
            msg = f"{left} records are neither acknowledged nor refused; try again"
            raise TransientError(msg)

    def _report(self, error: KafkaError | None, message: Message) -> None:
        topic = message.topic() or ""
        if error is None:
            self.acknowledged[topic] += 1
        else:
            self.failed[topic] += 1
            self.last_failure = f"topic {topic}: {error.str()}"
