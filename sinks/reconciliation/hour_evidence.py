"""What became of the transactions of one hour, read without the rest of the history.

The hour is that of Kafka's own time of each transaction, so hours divide the input without gap or
overlap. Outputs are looked for from a little before the hour on: first within a while after it,
and to the end of their topics only if something is missing there.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from pipelines.kafka import read_group_offsets, read_offsets, read_offsets_at
from sinks.alerts.search import count_documents
from sinks.lakehouse.sources import scan_sources
from sinks.reconciliation.counts import OffsetCounts
from sinks.reconciliation.evidence import find_closed
from sinks.reconciliation.hour import CLOCKS_APART, HOUR, LATENESS, HourEvidence
from sinks.reconciliation.judgement import Evidence
from sinks.reconciliation.outputs import Outputs
from sinks.reconciliation.topic import place_of, read_topic

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from confluent_kafka import Message

    from pipelines.settings import Settings
    from pipelines.topics import Topic
    from sinks.reconciliation.counts import Stretch
    from sinks.reconciliation.evidence import Observer


def gather_hour(settings: Settings, begin: datetime, observer: Observer) -> HourEvidence:
    """Transactions, their outcomes, the rows of those, and the documents of what was flagged."""
    topics = settings.kafka.topics()
    stretch = _stretch(settings, begin)
    transactions = OffsetCounts(stretch)
    read_topic(
        settings.kafka,
        topics.transactions.name,
        stretch,
        on_record=lambda message: transactions.add(*place_of(message)),
        on_progress=partial(observer, topics.transactions.name),
    )
    outputs = Outputs(topics.transactions.name, transactions)

    def is_complete() -> bool:
        outcomes = outputs.decisions.plus(outputs.dead_letters)
        return (
            next(transactions.differences(outcomes), None) is None
            and next(outputs.flagged.differences(outputs.alerts), None) is None
        )

    letters = _Reading(settings, topics.dead_letters, begin, outputs.take_dead_letter, observer)
    decisions = _Reading(settings, topics.decisions, begin, outputs.take_decision, observer)
    alerts = _Reading(settings, topics.alerts, begin, outputs.take_alert, observer)
    _read_until(is_complete, letters, decisions, alerts)
    documents = count_documents(settings, outputs.alerts_caused)
    observer("documents", documents.total())
    closed = find_closed(settings, outputs)
    return HourEvidence(
        begin=begin,
        topic=topics.transactions.name,
        waiting=_count_waiting(settings, stretch),
        evidence=Evidence(
            transactions=transactions,
            decisions=outputs.decisions,
            dead_letters=outputs.dead_letters,
            lake_decisions=_read_rows(settings, "decisions", transactions, stretch),
            lake_dead_letters=_read_rows(settings, "dead_letters", transactions, stretch),
            flagged=outputs.flagged,
            alerts=outputs.alerts,
            alerts_caused=frozenset(outputs.alerts_caused),
            alerts_closed=closed.alerts,
            closed_months=closed.months,
            alerts_retained=frozenset(outputs.alerts_retained),
            documents=documents,
            unreadable=tuple(outputs.unreadable),
        ),
    )


class _Reading:
    """One output topic, read first near the hour and then, if need be, to its end."""

    def __init__(
        self,
        settings: Settings,
        topic: Topic,
        begin: datetime,
        take: Callable[[Message], None],
        observer: Observer,
    ) -> None:
        self._settings, self._topic = settings, topic.name
        self._take, self._observer = take, observer
        held = read_offsets(settings.kafka, topic.name)
        first, last = read_offsets_at(
            settings.kafka,
            topic.name,
            _milliseconds(begin - CLOCKS_APART),
            _milliseconds(begin + HOUR + LATENESS),
        )
        self._near = {part: range(first[part], last[part]) for part in held}
        self._far = {part: range(last[part], one.end) for part, one in held.items()}

    def read_near(self) -> None:
        self._read(self._near)

    def read_far(self) -> None:
        self._read(self._far)

    def _read(self, stretch: Stretch) -> None:
        read_topic(
            self._settings.kafka,
            self._topic,
            stretch,
            on_record=self._take,
            on_progress=partial(self._observer, self._topic),
        )


def _read_until(is_complete: Callable[[], bool], *readings: _Reading) -> None:
    for reading in readings:
        reading.read_near()
    if not is_complete():
        for reading in readings:
            reading.read_far()


def _stretch(settings: Settings, begin: datetime) -> Stretch:
    """The offsets of the transactions that Kafka took within the hour."""
    topic = settings.kafka.topics().transactions.name
    moments = (_milliseconds(begin), _milliseconds(begin + HOUR))
    first, last = read_offsets_at(settings.kafka, topic, *moments)
    return {part: range(first[part], last[part]) for part in first}


def _count_waiting(settings: Settings, stretch: Stretch) -> int:
    topic = settings.kafka.topics().transactions.name
    decided: Mapping[int, int] = read_group_offsets(settings.kafka, settings.job_group, topic)
    return sum(
        held.stop - max(held.start, min(held.stop, decided.get(part, held.start)))
        for part, held in stretch.items()
    )


def _read_rows(
    settings: Settings, table: str, transactions: OffsetCounts, stretch: Stretch
) -> OffsetCounts:
    topic = settings.kafka.topics().transactions.name
    counts = transactions.empty()
    for source_topic, partition, offset in scan_sources(settings, table, within=stretch):
        if source_topic == topic:
            counts.add(partition, offset)
    return counts


def _milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
