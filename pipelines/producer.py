"""Sends the generator's stream to Kafka on schedule, and says what became of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pipelines.generator import Emission
    from pipelines.pacing import Pace
    from pipelines.sender import RecordSender
    from pipelines.topics import Topics

LONGEST_WAIT_SECONDS = 0.1
"""So often, at least, somebody who wants to stop or to see progress is heard."""
REPORT_EVERY = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Produced:
    """What was sent, and what of it arrived; complete when ``produce`` returns it."""

    customers: int = 0
    transactions: int = 0
    """Good ones; repeats and broken records are counted apart."""
    frauds: Mapping[str, int] = field(default_factory=dict)
    """Of the transactions, by scenario."""
    labels: int = 0
    malformed: int = 0
    repeats: int = 0
    first_ms: int | None = None
    last_ms: int | None = None
    """Event times of the first and the last transaction."""
    acknowledged: Mapping[str, int] = field(default_factory=dict)
    """Records by topic."""
    failed: Mapping[str, int] = field(default_factory=dict)
    last_failure: str | None = None
    seconds: float = 0.0
    """From the first transaction to the end."""
    is_stopped: bool = False
    """Somebody asked to stop before the stream ended."""


def produce(
    emissions: Iterable[Emission],
    sender: RecordSender,
    topics: Topics,
    *,
    pace: Pace,
    on_progress: Callable[[Produced], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Produced:
    """Send everything, each record at its moment, and wait until the broker has answered for it.

    1. profiles, acknowledged before the first transaction leaves;
    2. transactions and labels on the schedule of ``pace``; being late once moves no other;
    3. every record is acknowledged or counted in ``failed``.

    ``on_progress`` is called now and then and at the end. An error of the sender passes through.
    """
    run = _Run(sender, topics, pace)
    for emission in emissions:
        # 1. the profiles first
        if emission.kind == "customer":
            run.send(emission)
            continue
        run.begin()
        # 2. wait for the moment
        while (wait := pace.seconds_until(emission.at_ms)) > 0 and not should_stop():
            sender.wait(min(wait, LONGEST_WAIT_SECONDS))
            on_progress(run.summary())
        if should_stop():
            run.is_stopped = True
            break
        run.send(emission)
        if run.sent % REPORT_EVERY == 0:
            on_progress(run.summary())
    # 3. nothing is left open
    sender.flush()
    on_progress(run.summary())
    return run.summary()


class _Run:
    """Counts of one call of ``produce``."""

    def __init__(self, sender: RecordSender, topics: Topics, pace: Pace) -> None:
        self.sent = 0
        self.is_stopped = False
        self._sender = sender
        self._clock = pace.clock
        self._begun: float | None = None
        self._kinds: Counter[str] = Counter()
        self._frauds: Counter[str] = Counter()
        self._first_ms: int | None = None
        self._last_ms: int | None = None
        self._topics = {
            "customer": topics.customers.name,
            "transaction": topics.transactions.name,
            "malformed": topics.transactions.name,
            "repeat": topics.transactions.name,
            "label": topics.labels.name,
        }

    def begin(self) -> None:
        if self._begun is None:
            self._sender.flush()
            self._begun = self._clock()

    def send(self, emission: Emission) -> None:
        self._sender.send(self._topics[emission.kind], emission.key, emission.value)
        self.sent += 1
        self._kinds[emission.kind] += 1
        if emission.kind == "transaction":
            if emission.scenario is not None:
                self._frauds[emission.scenario] += 1
            if self._first_ms is None:
                self._first_ms = emission.at_ms
            self._last_ms = emission.at_ms

    def summary(self) -> Produced:
        return Produced(
            customers=self._kinds["customer"],
            transactions=self._kinds["transaction"],
            frauds=dict(sorted(self._frauds.items())),
            labels=self._kinds["label"],
            malformed=self._kinds["malformed"],
            repeats=self._kinds["repeat"],
            first_ms=self._first_ms,
            last_ms=self._last_ms,
            acknowledged=dict(self._sender.acknowledged),
            failed=dict(self._sender.failed),
            last_failure=self._sender.last_failure,
            seconds=0.0 if self._begun is None else self._clock() - self._begun,
            is_stopped=self.is_stopped,
        )
