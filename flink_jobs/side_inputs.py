"""What stages know beside the transactions: profiles of customers, labels. As SQL text.

Neither waits for transactions, nor they for it. Each side input has a table, a view for each stage
that reads it, and dead letters for its broken records.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flink_jobs import tables
from pipelines.features.stage import KEY_COLUMNS, KEYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.features import Stage
    from pipelines.settings import KafkaSettings

# A customer that was deleted: a key alone. It makes the stage forget, and is no fault.
_TOMBSTONE = "(`raw` IS NULL AND `record_key` IS NOT NULL)"
_PROFILE = "io.fraudlake.profile"
_FUTURE = f"> `kafka_time` + {tables.FUTURE_LIMIT}"
"""From there nothing is taken: an update of the year 9999 would be the newest for ever."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SideInput:
    """One topic that stages read beside the transactions."""

    name: str
    """Of the table; its state in savepoints is known by it."""
    topic: str
    table: str
    views: tuple[str, ...]
    function: tuple[str, str]
    """The name and the class of what reads it."""
    broken: str
    """Which of its records are dead letters."""
    future: str
    """The column whose time may not be far ahead of the record's own."""


def side_inputs(
    stages: Sequence[Stage], kafka: KafkaSettings, *, group: str
) -> tuple[SideInput, ...]:
    """Those that the stages ask for."""
    topics = kafka.topics()
    found = []
    if any(stage.is_attributes for stage in stages):
        customers = SideInput(
            name="customers",
            topic=topics.customers.name,
            table=tables.customers(kafka, group=group),
            views=(_customer_profiles(),),
            function=("f_customer_attributes", f"{_PROFILE}.CustomerAttributes"),
            broken=f"(`fault` IS NOT NULL AND NOT {_TOMBSTONE}) OR `updated_at` {_FUTURE}",
            future="updated_at",
        )
        found.append(customers)
    labelled = [stage for stage in stages if stage.has_labels]
    if labelled:
        labels = SideInput(
            name="labels",
            topic=topics.labels.name,
            table=tables.labels(kafka, group=group),
            views=tuple(_labels_of(stage) for stage in labelled),
            function=("f_labelled_profile", f"{_PROFILE}.LabelledProfile"),
            broken=f"`fault` IS NOT NULL OR `event_time` {_FUTURE}",
            future="event_time",
        )
        found.append(labels)
    return tuple(found)


def stage_call(stage: Stage, source: str) -> str:
    """The call of a stage's function over the rows of ``source``."""
    rows = f"r => TABLE {source} PARTITION BY `{KEYS[stage.entity]}`"
    rest = f"plan => {tables.quote(stage.plan_json())}, uid => {tables.quote(stage.uid)}"
    both = "on_time => DESCRIPTOR(event_time, kafka_time)"
    if stage.is_attributes:
        customers = "customers => TABLE customer_profiles PARTITION BY `customer_id`"
        return f"f_customer_attributes({rows}, {customers}, {both}, {rest})"
    if stage.has_labels:
        labels = f"labels => TABLE labels_of_{stage.entity}s PARTITION BY `label_key`"
        return f"f_labelled_profile({rows}, {labels}, {both}, {rest})"
    return f"f_profile({rows}, on_time => DESCRIPTOR(event_time), {rest})"


def _customer_profiles() -> str:
    """A tombstone has its key alone; without a time it makes the stage forget the customer."""
    return (
        "CREATE TEMPORARY VIEW customer_profiles AS SELECT\n"
        "  COALESCE(`customer_id`, DECODE(`record_key`, 'UTF-8')) AS `customer_id`,\n"
        "  `updated_at`,\n"
        "  `kafka_time`,\n"
        "  ARRAY[`max_speed_kmh`, `home_latitude`, `home_longitude`] AS `attributes`\n"
        f"FROM customers WHERE (`fault` IS NULL AND NOT `updated_at` {_FUTURE}) OR {_TOMBSTONE}"
    )


def _labels_of(stage: Stage) -> str:
    """The labels that tell something of the stage's entity."""
    key = f"`{KEY_COLUMNS[stage.entity]}`"
    return (
        f"CREATE TEMPORARY VIEW labels_of_{stage.entity}s AS SELECT\n"
        f"  {key} AS `label_key`,\n"
        "  `transaction_id`,\n"
        "  `event_time` AS `transaction_time`,\n"
        "  `label` = 'fraud' AS `is_fraud`,\n"
        "  `label_time`,\n"
        "  `kafka_time`\n"
        f"FROM labels WHERE `fault` IS NULL AND NOT `event_time` {_FUTURE} AND {key} IS NOT NULL"
    )
