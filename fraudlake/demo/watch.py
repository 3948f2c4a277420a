"""Watching the pipeline's output as any consumer would: read committed, from where it ends now."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from confluent_kafka import KafkaException, TopicPartition

from pipelines.errors import FraudlakeError
from pipelines.kafka import connect_consumer, explain, read_offsets

if TYPE_CHECKING:
    from collections.abc import Callable

    from confluent_kafka import Message

    from pipelines.settings import KafkaSettings

POLL_SECONDS = 0.02  # consume() waits for a full batch or this long: it delays what is seen
BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenAlert:
    """What a person is shown of an alert."""

    card_id: str
    band: str
    score: float
    money_at_risk: float
    currency: str
    because: str


@dataclass(slots=True)
class Seen:
    """What has come out so far."""

    decisions: int = 0
    dead_letters: int = 0
    bands: Counter[str] = field(default_factory=Counter)
    rules: Counter[str] = field(default_factory=Counter)
    flagged: set[str] = field(default_factory=set)
    """Transaction ids of decisions to review or block."""
    decided_at_s: dict[str, float] = field(default_factory=dict)
    """By transaction id, when its first decision was read, by the monotonic clock."""
    revisions: int = 0
    """Of alerts, as they grow."""
    alerts: set[str] = field(default_factory=set)
    """Their ids."""
    first_alert_s: float | None = None
    """By the monotonic clock."""


class Watch:
    """A thread that reads decisions, alerts and dead letters until it is closed."""

    def __init__(self, kafka: KafkaSettings, *, on_alert: Callable[[SeenAlert], None]) -> None:
        self.seen = Seen()
        self.failure: Exception | None = None
        self._on_alert = on_alert
        self._closing = threading.Event()
        topics = kafka.topics()
        self._takers: dict[str, Callable[[Message], None]] = {
            topics.decisions.name: self._take_decision,
            topics.alerts.name: self._take_alert,
            topics.dead_letters.name: self._take_dead_letter,
        }
        self._consumer = connect_consumer(kafka, group="fraudlake-demo")
        self._consumer.assign(
            [
                TopicPartition(topic, partition, held.end)
                for topic in self._takers
                for partition, held in read_offsets(kafka, topic).items()
            ]
        )
        self._thread = threading.Thread(target=self._run, name="demo-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop reading; raises what made the watch end early."""
        self._closing.set()
        self._thread.join()
        self._consumer.close()
        if self.failure is not None:
            raise self.failure

    def await_outcomes(self, records: int, *, wait_seconds: float) -> bool:
        """Wait until so many records were decided or dead-lettered; False if time ran out."""
        deadline = time.monotonic() + wait_seconds
        while self.seen.decisions + self.seen.dead_letters < records:
            if time.monotonic() > deadline or self.failure is not None:
                return False
            time.sleep(POLL_SECONDS)
        return True

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                for message in self._consumer.consume(BATCH, POLL_SECONDS):
                    self._take(message)
        except (KafkaException, FraudlakeError, ValueError, LookupError) as error:
            self.failure = error

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            raise explain(KafkaException(error), "watching the pipeline's output")
        self._takers[str(message.topic())](message)

    def _take_decision(self, message: Message) -> None:
        decision = json.loads(message.value() or b"{}")
        transaction_id = decision["transaction"]["transaction_id"]
        self.seen.decisions += 1
        self.seen.decided_at_s.setdefault(transaction_id, time.monotonic())
        self.seen.bands[decision["band"]] += 1
        self.seen.rules.update(decision["rules_fired"])
        if decision["band"] != "allow":
            self.seen.flagged.add(transaction_id)

    def _take_dead_letter(self, message: Message) -> None:
        letter = json.loads(message.value() or b"{}")
        if letter["stage"] == "decode":
            self.seen.dead_letters += 1

    def _take_alert(self, message: Message) -> None:
        alert = json.loads(message.value() or b"{}")
        if self.seen.first_alert_s is None:
            self.seen.first_alert_s = time.monotonic()
        self.seen.revisions += 1
        self.seen.alerts.add(alert["alert_id"])
        self._on_alert(
            SeenAlert(
                card_id=alert["card_id"],
                band=alert["band"],
                score=alert["score"],
                money_at_risk=alert["money_at_risk"],
                currency=alert["base_currency"],
                because="; ".join(rule["because"] for rule in alert["rules"]),
            )
        )
