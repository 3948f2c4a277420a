"""What each system holds of one stretch of input: the topics, then the table, then the index.

``read_input`` fixes the stretch once, from what is retained to where the input ends at that moment.
What comes later does not count, so a running stream can be reconciled, and looked at again with
the same stretch. Memory: one byte for each offset in each system, and the alert ids.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from pipelines.kafka import read_offsets
from sinks.alerts.search import read_closed_months, read_origins
from sinks.lakehouse.sources import scan_sources
from sinks.reconciliation.counts import OffsetCounts
from sinks.reconciliation.judgement import Evidence
from sinks.reconciliation.outputs import Outputs
from sinks.reconciliation.topic import place_of, read_topic

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from confluent_kafka import Message

    from pipelines.settings import KafkaSettings, Settings
    from sinks.reconciliation.counts import Stretch

    Observer: TypeAlias = Callable[[str, int], None]
    """Told what is being read, and how many records of it so far."""


def read_input(settings: Settings, observer: Observer) -> OffsetCounts:
    """The records that ``transactions`` holds now; their offsets are the stretch of all else."""
    topic = settings.kafka.topics().transactions.name
    stretch = _held(settings.kafka, topic)
    transactions = OffsetCounts(stretch)
    read_topic(
        settings.kafka,
        topic,
        stretch,
        on_record=lambda message: transactions.add(*place_of(message)),
        on_progress=partial(observer, topic),
    )
    return transactions


def gather(settings: Settings, transactions: OffsetCounts, observer: Observer) -> Evidence:
    """What became of ``transactions`` up to now."""
    topics = settings.kafka.topics()
    outputs = Outputs(topics.transactions.name, transactions)
    _read_whole(settings.kafka, topics.decisions.name, outputs.take_decision, observer)
    _read_whole(settings.kafka, topics.dead_letters.name, outputs.take_dead_letter, observer)
    alerts = topics.alerts.name
    alerts_read = _read_whole(settings.kafka, alerts, outputs.take_alert, observer)
    documents, documents_caused = _read_documents(settings, alerts, alerts_read, observer)
    closed = find_closed(settings, outputs)
    return Evidence(
        transactions=transactions,
        decisions=outputs.decisions,
        dead_letters=outputs.dead_letters,
        lake_decisions=_read_table(settings, "decisions", transactions, observer),
        lake_dead_letters=_read_table(settings, "dead_letters", transactions, observer),
        flagged=outputs.flagged,
        alerts=outputs.alerts,
        alerts_retained=frozenset(outputs.alerts_retained),
        alerts_caused=frozenset(outputs.alerts_caused),
        alerts_closed=closed.alerts,
        closed_months=closed.months,
        documents=documents,
        documents_caused=documents_caused,
        unreadable=tuple(outputs.unreadable),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """What cannot be seen, because somebody has closed its month."""

    alerts: frozenset[str]
    months: tuple[str, ...]
    """The indices that they are in."""


def find_closed(settings: Settings, outputs: Outputs) -> Closed:
    """Of the alerts of ``outputs``, those whose month is closed now."""
    months = {f"{one.month:%Y.%m}": one.name for one in read_closed_months(settings)}
    alerts = {name: month for name, month in outputs.alerts_caused.items() if month in months}
    return Closed(
        alerts=frozenset(alerts), months=tuple(months[one] for one in sorted(set(alerts.values())))
    )


def _read_whole(
    kafka: KafkaSettings, topic: str, take: Callable[[Message], None], observer: Observer
) -> Stretch:
    stretch = _held(kafka, topic)
    read_topic(kafka, topic, stretch, on_record=take, on_progress=partial(observer, topic))
    return stretch


def _held(kafka: KafkaSettings, topic: str) -> Stretch:
    return {
        partition: range(held.start, held.end)
        for partition, held in read_offsets(kafka, topic).items()
    }


def _read_documents(
    settings: Settings, topic: str, alerts_read: Stretch, observer: Observer
) -> tuple[Counter[str], frozenset[str]]:
    """The ids of all documents, and of those made from the alerts that were read."""
    documents: Counter[str] = Counter()
    caused: set[str] = set()
    for alert_id, origin in read_origins(settings):
        documents[alert_id] += 1
        if origin.topic == topic and origin.offset in alerts_read.get(origin.partition, range(0)):
            caused.add(alert_id)
    observer("documents", documents.total())
    return documents, frozenset(caused)


def _read_table(
    settings: Settings, table: str, transactions: OffsetCounts, observer: Observer
) -> OffsetCounts:
    topic = settings.kafka.topics().transactions.name
    counts = transactions.empty()
    for source_topic, partition, offset in scan_sources(settings, table):
        if source_topic == topic:
            counts.add(partition, offset)
    observer(f"rows of {table}", counts.total())
    return counts
