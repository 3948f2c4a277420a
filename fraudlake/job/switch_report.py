"""What a change of the job did to the stream: the gap, what was lost, what was decided twice.

Read from the topics themselves, of a stretch of input around the change.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import orjson

from pipelines.contracts.times import parse_time
from pipelines.kafka import read_group_offsets, read_offsets
from sinks.reconciliation.counts import OffsetCounts, Stretch
from sinks.reconciliation.outputs import Outputs
from sinks.reconciliation.topic import place_of, read_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from confluent_kafka import Message

    from pipelines.settings import Settings

SETTLED_SECONDS = 3.0
READABLE_SECONDS = 30.0
POLL_SECONDS = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """Where everything stood before the change."""

    read: dict[int, int]
    """The next input offset of each partition; all before are decided in front of the ends."""
    decided: dict[int, int]
    """The ends of the decisions."""
    refused: dict[int, int]
    """The ends of the dead letters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchReport:
    """How the change went, by what can be read of it."""

    records: int
    """Input of the stretch around the change."""
    lost: int
    doubled: int
    gap_s: float | None
    """The longest time without a decision; None without two decisions."""
    decided_under_new: int
    """Decisions that name the new rule set; 0 where nothing came in since."""
    is_stuck: bool = False
    """Whether input was there for the new job, and it took none of it."""


def mark_progress(settings: Settings) -> Mark:
    """Note where input and output stand; waits a moment for the offsets to follow the output."""
    topics = settings.kafka.topics()
    decided = _ends(settings, topics.decisions.name)
    refused = _ends(settings, topics.dead_letters.name)
    # Offsets are committed a moment after the output of the same checkpoint.
    before = read = _read(settings)
    deadline = time.monotonic() + SETTLED_SECONDS
    while read == before and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        read = _read(settings)
    return Mark(read=read, decided=decided, refused=refused)


def report_switch(settings: Settings, mark: Mark, *, ruleset: str) -> SwitchReport:
    """Read what was decided since ``mark``, up to where the new job has come.

    Waits until the new job has taken something of what is there for it.
    """
    read, is_stuck = _await_progress(settings)
    stretch = {part: range(mark.read.get(part, 0), max(end, 0)) for part, end in read.items()}
    transactions = OffsetCounts(stretch)
    topics = settings.kafka.topics()
    read_topic(
        settings.kafka,
        topics.transactions.name,
        stretch,
        on_record=lambda message: transactions.add(*place_of(message)),
    )
    deadline = time.monotonic() + READABLE_SECONDS
    while True:
        seen = _Seen(Outputs(topics.transactions.name, transactions), ruleset)
        _read_since(settings, topics.decisions.name, mark.decided, seen.take_decision)
        _read_since(settings, topics.dead_letters.name, mark.refused, seen.outputs.take_dead_letter)
        report = seen.report(transactions, is_stuck=is_stuck)
        if report.lost == 0 or time.monotonic() > deadline:
            return report
        time.sleep(POLL_SECONDS)


def _await_progress(settings: Settings) -> tuple[dict[int, int], bool]:
    """The next input offsets, once the job has moved on from where it began; whether it did not."""
    begun = read = _read(settings)
    ends = _ends(settings, settings.kafka.topics().transactions.name)
    is_waited_for = any(end > begun.get(part, 0) for part, end in ends.items())
    deadline = time.monotonic() + READABLE_SECONDS
    while is_waited_for and read == begun and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        read = _read(settings)
    return read, is_waited_for and read == begun


class _Seen:
    """The decisions and dead letters since the mark."""

    def __init__(self, outputs: Outputs, ruleset: str) -> None:
        self.outputs = outputs
        self._ruleset = ruleset
        self._times: list[int] = []
        self._under_new = 0

    def take_decision(self, message: Message) -> None:
        self.outputs.take_decision(message)
        decision = orjson.loads(message.value() or b"")
        self._times.append(parse_time(decision["decided_at"]))
        self._under_new += decision["ruleset"] == self._ruleset

    def report(self, transactions: OffsetCounts, *, is_stuck: bool) -> SwitchReport:
        found = self.outputs.decisions.plus(self.outputs.dead_letters)
        lost, doubled = lost_and_doubled(transactions, found)
        return SwitchReport(
            records=transactions.distinct(),
            lost=lost,
            doubled=doubled,
            gap_s=longest_gap_s(self._times),
            decided_under_new=self._under_new,
            is_stuck=is_stuck,
        )


def lost_and_doubled(transactions: OffsetCounts, found: OffsetCounts) -> tuple[int, int]:
    """How many records have no outcome, and how many more than one."""
    lost = doubled = 0
    for partition, offset in transactions.differences(found):
        is_there = transactions.count(partition, offset) > 0
        times = found.count(partition, offset)
        lost += is_there and times == 0
        doubled += times > 1
    return lost, doubled


def longest_gap_s(times_ms: Iterable[int]) -> float | None:
    """The longest time between two decisions that follow each other.

    >>> longest_gap_s([7000, 1000, 2500])
    4.5
    """
    ordered = sorted(times_ms)
    gaps = [later - earlier for earlier, later in pairwise(ordered)]
    return max(gaps) / 1000 if gaps else None


def _read(settings: Settings) -> dict[int, int]:
    topic = settings.kafka.topics().transactions.name
    return read_group_offsets(settings.kafka, settings.job_group, topic)


def _ends(settings: Settings, topic: str) -> dict[int, int]:
    return {part: held.end for part, held in read_offsets(settings.kafka, topic).items()}


def _read_since(
    settings: Settings, topic: str, since: dict[int, int], take: Callable[[Message], None]
) -> None:
    stretch: Stretch = {
        part: range(since.get(part, 0), end) for part, end in _ends(settings, topic).items()
    }
    read_topic(settings.kafka, topic, stretch, on_record=take)
