"""The input of a fault run: transactions with repeats, disorder and poison, and their customers."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING

from pipelines.errors import FraudlakeError, TerminalError
from pipelines.generator import Emission, GeneratorOptions, generate
from pipelines.generator.disturbances import Disturbances, disturb
from pipelines.pacing import Pace
from pipelines.producer import Produced, produce
from pipelines.sender import KafkaSender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pipelines.settings import KafkaSettings

EVENTS_PER_SECOND = 4.0
"""Of event time: a million transactions last almost three days, longer than most windows."""
CARDS = 20_000
"""Each is used some seventeen times a day."""
FRAUD_RATE = 0.01
LATE_SHARE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultLoad:
    """What is sent: transactions, and besides them one repeat in 100 and one broken in 1,000."""

    records: int
    seed: int
    rate: float | None
    """Records a second while the job runs; None: all of them before it starts."""
    start_ms: int
    """The logical time of the first; the last must not lie in the future."""

    @property
    def repeats(self) -> int:
        return self.records // 100

    @property
    def poison(self) -> int:
        return self.records // 1000

    @property
    def total(self) -> int:
        """Records of the input."""
        return self.records + self.repeats + self.poison


def span_ms(records: int) -> int:
    """How much event time so many transactions take, with a margin for those sent late."""
    return int(records / EVENTS_PER_SECOND * 1000) + 60_000


def send_customers(kafka: KafkaSettings, load: FaultLoad) -> int:
    """Send every customer's profile; how many there are."""
    profiles = takewhile(lambda emission: emission.kind == "customer", generate(_options(load)))
    return _send(kafka, load, profiles, lambda _: None).customers


def send_transactions(
    kafka: KafkaSettings, load: FaultLoad, on_progress: Callable[[int], None]
) -> None:
    """Send the disturbed transactions at the wanted rate; returns when all are acknowledged."""
    wanted = Disturbances(malformed=load.poison, repeats=load.repeats, late_share=LATE_SHARE)
    stream = disturb(
        (item for item in generate(_options(load)) if item.kind == "transaction"),
        wanted,
        seed=load.seed,
        count=load.records,
    )
    _send(kafka, load, stream, lambda produced: on_progress(produced.transactions))


class Traffic:
    """Sends the transactions beside everything else, from when it is made."""

    def __init__(self, kafka: KafkaSettings, load: FaultLoad) -> None:
        self._failure: FraudlakeError | None = None
        self._work = threading.Thread(target=self._run, args=(kafka, load), daemon=True)
        self._work.start()

    def is_done(self) -> bool:
        """Whether everything was sent; an error of the sender comes out here."""
        if self._failure is not None:
            raise self._failure
        return not self._work.is_alive()

    def _run(self, kafka: KafkaSettings, load: FaultLoad) -> None:
        try:
            send_transactions(kafka, load, lambda _: None)
        except FraudlakeError as error:
            self._failure = error


def _options(load: FaultLoad) -> GeneratorOptions:
    return GeneratorOptions(
        seed=load.seed,
        start_ms=load.start_ms,
        cards=CARDS,
        rate=EVENTS_PER_SECOND,
        fraud_rate=FRAUD_RATE,
        count=load.records,
    )


def _send(
    kafka: KafkaSettings,
    load: FaultLoad,
    emissions: Iterable[Emission],
    on_progress: Callable[[Produced], None],
) -> Produced:
    speed = None if load.rate is None else load.rate / EVENTS_PER_SECOND
    produced = produce(
        emissions,
        KafkaSender(kafka),
        kafka.topics(),
        pace=Pace(speed=speed, clock=time.monotonic),
        on_progress=on_progress,
    )
    if produced.failed:
        total = sum(produced.failed.values())
        msg = f"{total} records were not sent: {produced.last_failure}"
        raise TerminalError(msg)
    return produced
