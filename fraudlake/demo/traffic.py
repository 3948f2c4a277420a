"""The demo's traffic: half an hour of event time in half a minute, ending now, with its truth."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pipelines.generator import Emission, GeneratorOptions, generate
from pipelines.generator.disturbances import Disturbances, disturb
from pipelines.pacing import Pace
from pipelines.producer import Produced, produce
from pipelines.sender import KafkaSender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipelines.settings import KafkaSettings

SPEED = 60.0
EVENT_RATE = 5.0
CARDS = 5_000
FRAUD_RATE = 0.03
MALFORMED = 20
REPEATS = 20


@dataclass(slots=True)
class Truth:
    """What the generator knows and the pipeline must find out, by transaction id."""

    frauds: dict[str, set[str]] = field(default_factory=dict)
    """By campaign."""
    genuine: set[str] = field(default_factory=set)
    sent_at_s: dict[str, float] = field(default_factory=dict)
    """When it was first sent, by the monotonic clock."""

    def note(self, emission: Emission) -> None:
        """Remember what a transaction is, and when it leaves."""
        if emission.kind != "transaction" or emission.value is None:
            return
        transaction_id = json.loads(emission.value)["transaction_id"]
        self.sent_at_s.setdefault(transaction_id, time.monotonic())
        if emission.scenario is None:
            self.genuine.add(transaction_id)
        else:
            self.frauds.setdefault(emission.scenario, set()).add(transaction_id)


def send_traffic(
    kafka: KafkaSettings,
    *,
    seconds: int,
    seed: int,
    now_ms: int,
    on_progress: Callable[[Produced], None],
    should_stop: Callable[[], bool],
) -> tuple[Produced, Truth]:
    """Send ``seconds`` of traffic, sped up so that attacks of minutes fit in; and its truth.

    Event time ends at ``now_ms``: nothing lies in the future, whatever the speed.
    """
    duration_ms = int(seconds * SPEED * 1000)
    options = GeneratorOptions(
        seed=seed,
        start_ms=now_ms - duration_ms,
        cards=CARDS,
        rate=EVENT_RATE,
        fraud_rate=FRAUD_RATE,
        label_delay_ms=300_000,
        all_labels=True,
        count=None,
        duration_ms=duration_ms,
    )
    truth = Truth()
    disturbances = Disturbances(malformed=MALFORMED, repeats=REPEATS, late_share=0.01)
    stream = disturb(
        generate(options), disturbances, seed=seed, count=int(seconds * SPEED * EVENT_RATE)
    )
    pace = Pace(speed=SPEED, clock=time.monotonic)
    produced = produce(
        _noted(stream, truth),
        KafkaSender(kafka),
        kafka.topics(),
        pace=pace,
        on_progress=on_progress,
        should_stop=should_stop,
    )
    return produced, truth


def _noted(stream: Iterator[Emission], truth: Truth) -> Iterator[Emission]:
    for emission in stream:
        truth.note(emission)
        yield emission
