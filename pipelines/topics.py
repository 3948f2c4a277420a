"""The Kafka topics: names, keys, partitions, retention, and who writes and reads each.

One place for all of it. A prefix (``kafka.topic_prefix``) lets several pipelines share a cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Cleanup = Literal["delete", "compact"]

LARGEST_OUTPUT_BYTES = 4 * 1024 * 1024
"""A record of the input has at most 1 MiB, Kafka's default. A decision adds its features to it, an
alert repeats the decision, and a dead letter holds it in base64, a third longer."""
_OUTPUT = {"max.message.bytes": str(LARGEST_OUTPUT_BYTES)}

INPUT_RETENTION = timedelta(days=7)
OUTPUT_RETENTION = timedelta(days=9)
"""Longer than the input's: what became of a transaction can be looked up as long as it is there."""
_SEGMENT = timedelta(hours=1)
"""Kafka deletes whole segments: the input outlives its retention by this much at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """One topic as it should exist; ``retention`` None keeps records for ever."""

    name: str
    key: str
    partitions: int
    cleanup: Cleanup
    retention: timedelta | None
    written_by: str
    read_by: tuple[str, ...]
    about: str
    options: Mapping[str, str] = field(default_factory=dict)
    """Broker settings besides those above, by Kafka's names."""

    def config(self) -> dict[str, str]:
        """The broker settings of the topic, by Kafka's names."""
        retention_ms = -1 if self.retention is None else self.retention // timedelta(milliseconds=1)
        return {
            "cleanup.policy": self.cleanup,
            "retention.ms": str(retention_ms),
            **self.options,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Topics:
    """All topics of one pipeline."""

    transactions: Topic
    customers: Topic
    labels: Topic
    decisions: Topic
    alerts: Topic
    dead_letters: Topic

    def all(self) -> tuple[Topic, ...]:
        """Every topic, in the order of the flow."""
        return tuple(getattr(self, field.name) for field in fields(self))


def declare_topics(*, prefix: str = "", partitions: int = 4) -> Topics:
    """The topics of a pipeline whose names begin with ``prefix``.

    A card's records must keep their order, so ``transactions``, ``decisions`` and ``alerts`` share
    their key (``card_id``) and their number of partitions.

    >>> declare_topics(prefix="eu-").dead_letters.name
    'eu-dead-letters'
    """
    return Topics(
        transactions=Topic(
            name=f"{prefix}transactions",
            key="card_id",
            partitions=partitions,
            cleanup="delete",
            retention=INPUT_RETENTION,
            written_by="your systems, `fraudlake produce`, `fraudlake replay`",
            read_by=("flink job",),
            about="Card transactions, contract v1.",
            options={"segment.ms": str(_SEGMENT // timedelta(milliseconds=1))},
        ),
        customers=Topic(
            name=f"{prefix}customers",
            key="customer_id",
            partitions=partitions,
            cleanup="compact",
            retention=None,
            written_by="your systems, `fraudlake produce`",
            read_by=("flink job",),
            about="Newest profile of each customer: own speed limit, home.",
        ),
        labels=Topic(
            name=f"{prefix}labels",
            key="card_id",
            partitions=partitions,
            cleanup="delete",
            retention=None,
            written_by="chargebacks, investigators' verdicts, `fraudlake produce`",
            read_by=("flink job", "lakehouse sink"),
            about="What a transaction turned out to be, known later.",
        ),
        decisions=Topic(
            name=f"{prefix}decisions",
            key="card_id",
            partitions=partitions,
            cleanup="delete",
            retention=OUTPUT_RETENTION,
            written_by="flink job",
            read_by=("lakehouse sink", "your systems"),
            about="One decision for each transaction, with every feature value.",
            options=_OUTPUT,
        ),
        alerts=Topic(
            name=f"{prefix}alerts",
            key="card_id",
            partitions=partitions,
            cleanup="delete",
            retention=OUTPUT_RETENTION,
            written_by="flink job",
            read_by=("alert sink", "your systems"),
            about="Decisions to review or block, explained, for investigators.",
            options=_OUTPUT,
        ),
        dead_letters=Topic(
            name=f"{prefix}dead-letters",
            key="the record's own key",
            partitions=1,
            cleanup="delete",
            retention=timedelta(days=30),
            written_by="flink job, sinks",
            read_by=("lakehouse sink",),
            about="Records that cannot be decided, with the reason and the original bytes.",
            options=_OUTPUT,
        ),
    )
