"""The job's tables: Kafka topics as Flink sees them, as DDL text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.topics import LARGEST_OUTPUT_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pipelines.fx import FxTable
    from pipelines.settings import KafkaSettings

# A record's clock may run ahead of Kafka's by this much; beyond, it is a dead letter.
FUTURE_LIMIT = "INTERVAL '10' MINUTE"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a source table and its SQL type."""

    name: str
    type: str

    def __str__(self) -> str:
        return f"`{self.name}` {self.type}"


_RECORD = (
    Column(name="raw", type="BYTES"),
    Column(name="fault", type="STRING"),
    Column(name="fault_detail", type="STRING"),
    Column(name="record_key", type="BYTES"),
    Column(name="source_partition", type="INT METADATA FROM 'partition' VIRTUAL"),
    Column(name="source_offset", type="BIGINT METADATA FROM 'offset' VIRTUAL"),
    Column(name="kafka_time", type="TIMESTAMP_LTZ(3) METADATA FROM 'timestamp' VIRTUAL"),
)
"""What a source adds to the fields of the contract."""
RECORD_COLUMNS = tuple(column.name for column in _RECORD)

_RULES = (
    "ARRAY<ROW<`id` STRING, `weight` DOUBLE, `observed` DOUBLE, `limit` DOUBLE, `because` STRING>>"
)
_OPENING = "ROW<`decision_id` STRING, `transaction_id` STRING, `event_time` TIMESTAMP_LTZ(3)>"
_ALERT = (
    "ROW<`alert_id` STRING, `sequence` BIGINT, `card_id` STRING, `customer_id` STRING, "
    "`opened_at` TIMESTAMP_LTZ(3), `updated_at` TIMESTAMP_LTZ(3), `decisions` BIGINT, "
    "`money_at_risk` DOUBLE, `base_currency` STRING, `score` DOUBLE, `band` STRING, "
    f"`ruleset` STRING, `rules` {_RULES}, `opening` {_OPENING}>"
)
_OUTBOX = (
    Column(name="record_key", type="STRING"),
    Column(name="decision_id", type="STRING"),
    Column(name="transaction", type="BYTES"),
    Column(name="base_amount", type="DOUBLE"),
    Column(name="base_currency", type="STRING"),
    Column(name="features", type="ARRAY<DOUBLE>"),
    Column(name="score", type="DOUBLE"),
    Column(name="band", type="STRING"),
    Column(name="rules_fired", type="ARRAY<STRING>"),
    Column(name="ruleset", type="STRING"),
    Column(name="model", type="STRING"),
    Column(name="is_late", type="BOOLEAN"),
    Column(name="is_duplicate", type="BOOLEAN"),
    Column(name="duplicate_of_offset", type="BIGINT"),
    Column(name="previous_transaction_id", type="STRING"),
    Column(name="source", type="ROW<`topic` STRING, `partition` INT, `offset` BIGINT>"),
    Column(name="decided_at", type="TIMESTAMP_LTZ(3)"),
    Column(name="alert_id", type="STRING"),
    Column(name="alert", type=_ALERT),
    Column(name="topic", type="STRING NOT NULL METADATA"),
)
"""What a decision is written with, in the order of ``DecisionRow.java``.

The order is also that in which a sink takes them, metadata last: so no step between has to copy the
row.
"""
OUTBOX_COLUMNS = tuple(column.name for column in _OUTBOX)


def quote(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def transactions(
    kafka: KafkaSettings, *, group: str, columns: Iterable[Column], fx: FxTable
) -> str:
    """The source of transactions: contract columns, the bytes as they came, and any fault.

    Without state it goes on from the offsets that the job's group committed, else from the
    beginning. Those offsets follow each checkpoint a moment later: a job that was killed, and is
    then started without its state, may decide the records of that moment again.
    """
    rates = ",".join(f"{currency}={rate}" for currency, rate in fx.rates.items())
    return _table(
        "transactions",
        [*columns, *_RECORD],
        {
            **_source(kafka, kafka.topics().transactions.name, group),
            "scan.startup.mode": "group-offsets",
            "properties.auto.offset.reset": "earliest",
            "value.fraudlake.contract": "transaction",
            "value.fraudlake.rates": rates,
        },
        # One wrong clock must not move the watermark of all: it never leads Kafka's own time.
        watermark=(
            f"`event_time` AS CASE WHEN `event_time` <= `kafka_time` + {FUTURE_LIMIT} "
            "THEN `event_time` - INTERVAL '5' SECOND END"
        ),
    )


def customers(kafka: KafkaSettings, *, group: str) -> str:
    """The source of customer profiles, read from the beginning; the state holds the newest few."""
    return _table(
        "customers",
        [
            Column(name="customer_id", type="STRING"),
            Column(name="updated_at", type="TIMESTAMP_LTZ(3)"),
            Column(name="max_speed_kmh", type="DOUBLE"),
            Column(name="home_latitude", type="DOUBLE"),
            Column(name="home_longitude", type="DOUBLE"),
            *_RECORD,
        ],
        {
            **_source(kafka, kafka.topics().customers.name, f"{group}-customers"),
            "scan.startup.mode": "earliest-offset",
            "value.fraudlake.contract": "customer",
        },
        watermark="`kafka_time` AS `kafka_time`",
    )


def labels(kafka: KafkaSettings, *, group: str) -> str:
    """The source of labels, read from the beginning: old ones count in the windows of today."""
    return _table(
        "labels",
        [
            Column(name="transaction_id", type="STRING"),
            Column(name="merchant_id", type="STRING"),
            Column(name="device_id", type="STRING"),
            Column(name="event_time", type="TIMESTAMP_LTZ(3)"),
            Column(name="label", type="STRING"),
            Column(name="label_time", type="TIMESTAMP_LTZ(3)"),
            *_RECORD,
        ],
        {
            **_source(kafka, kafka.topics().labels.name, f"{group}-labels"),
            "scan.startup.mode": "earliest-offset",
            "value.fraudlake.contract": "label",
        },
        watermark="`kafka_time` AS `kafka_time`",
    )


def pass_through(kafka: KafkaSettings, *, job: str) -> list[str]:
    """Source and sink of the yardstick: raw bytes in, raw bytes out."""
    group = f"{kafka.topic_prefix}{job}"
    columns = [Column(name="record_key", type="BYTES"), Column(name="raw", type="BYTES")]
    source = {
        **_source(kafka, kafka.topics().transactions.name, group),
        "scan.startup.mode": "earliest-offset",
        "value.format": "raw",
    }
    sink = {**_sink(kafka, kafka.topics().decisions.name, group), "value.format": "raw"}
    return [_table("pass_in", columns, source), _table("pass_out", columns, sink)]


def _source(kafka: KafkaSettings, topic: str, group: str) -> dict[str, str]:
    return {
        "connector": "kafka",
        "topic": topic,
        "properties.bootstrap.servers": kafka.bootstrap_servers,
        "properties.group.id": group,
        "properties.isolation.level": "read_committed",
        "key.format": "raw",
        "key.fields": "record_key",
        "value.format": "fraudlake",
        "value.fields-include": "EXCEPT_KEY",
    }


def outbox(kafka: KafkaSettings, *, job: str, features: Iterable[str]) -> str:
    """The sink of decisions and alerts: one Kafka transaction holds both.

    ``features``: ``name:kind`` in the order of the feature array.
    """
    topics = kafka.topics()
    return _table(
        "outbox",
        _OUTBOX,
        {
            **_sink(kafka, f"{topics.decisions.name};{topics.alerts.name}", f"{job}-outbox"),
            "value.format": "fraudlake",
            "value.fraudlake.features": ";".join(features),
        },
    )


def dead_letters(kafka: KafkaSettings, *, job: str) -> str:
    """The sink of records that break their contract, under their own key."""
    return _table(
        "dead_letters",
        [
            Column(name="record_key", type="BYTES"),
            Column(name="stage", type="STRING"),
            Column(name="reason", type="STRING"),
            Column(name="detail", type="STRING"),
            Column(name="original", type="BYTES"),
            Column(name="topic", type="STRING"),
            Column(name="partition", type="INT"),
            Column(name="offset", type="BIGINT"),
            Column(name="failed_at", type="TIMESTAMP_LTZ(3)"),
        ],
        {
            **_sink(kafka, kafka.topics().dead_letters.name, f"{job}-dead-letters"),
            "value.format": "json",
            "value.json.timestamp-format.standard": "ISO-8601",
        },
    )


def _sink(kafka: KafkaSettings, topic: str, prefix: str) -> dict[str, str]:
    return {
        "connector": "kafka",
        "topic": topic,
        "properties.bootstrap.servers": kafka.bootstrap_servers,
        "properties.transaction.timeout.ms": str(kafka.transaction_timeout_s * 1000),
        "properties.max.request.size": str(LARGEST_OUTPUT_BYTES),
        "sink.delivery-guarantee": "exactly-once",
        "sink.transaction-naming-strategy": "INCREMENTING",
        # No prefix may begin another: the connector aborts by prefix.
        "sink.transactional-id-prefix": f"{prefix}.",
        "key.format": "raw",
        "key.fields": "record_key",
        "value.fields-include": "EXCEPT_KEY",
    }


def _table(
    name: str, columns: Iterable[Column], options: Mapping[str, str], watermark: str | None = None
) -> str:
    lines = [str(column) for column in columns]
    if watermark is not None:
        lines.append(f"WATERMARK FOR {watermark}")
    settings = [f"{quote(key)} = {quote(value)}" for key, value in options.items()]
    body = ",\n  ".join(lines)
    tail = ",\n  ".join(settings)
    return f"CREATE TEMPORARY TABLE `{name}` (\n  {body}\n) WITH (\n  {tail}\n)"
