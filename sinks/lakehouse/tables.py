"""The tables of the lakehouse: which columns they have, how they are split, and how they are made.

Field ids are assigned by the catalog. A table may grow by columns; that a column changes its
meaning or leaves is never done here. Every table that the lakehouse sink fills carries the place of
its record in Kafka (``kafka_partition``, ``kafka_offset``), so that "each record once" can be
counted.

The values of ``features`` are one struct with a double for each feature. A map would need no new
column when a feature appears, but reading one feature of a million rows then costs 1.2 s of
processor time instead of 0.02 s: see ``docs/decisions/004-features-as-struct.md``. Which features
there are depends on the rule sets: ``schema.py`` adds them, and whatever else is new here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import pyarrow as pa
from pyiceberg.io.pyarrow import schema_to_pyarrow
from pyiceberg.partitioning import PartitionField, PartitionSpec
from pyiceberg.schema import Schema
from pyiceberg.transforms import DayTransform, HourTransform
from pyiceberg.types import (
    BinaryType,
    BooleanType,
    DecimalType,
    DoubleType,
    IcebergType,
    IntegerType,
    ListType,
    LongType,
    NestedField,
    StringType,
    StructType,
    TimestamptzType,
)

if TYPE_CHECKING:
    from pyiceberg.table import Table

    from pipelines.settings import PartitionBy, SortBy

TableName = Literal["decisions", "labels", "dead_letters", "rulesets"]
KAFKA_TOPIC = "kafka_topic"
FEATURES = "features"
FEATURE_NAME = re.compile(r"[a-z][a-z0-9_]{0,127}")
MOST_FEATURES = 1000

_ROW_GROUP_LIMIT = "write.parquet.row-group-limit"
_PROPERTIES = {
    # The same size as the default level, a quarter faster to write.
    "write.parquet.compression-codec": "zstd",
    "write.parquet.compression-level": "1",
    # Commits come every few seconds for ever: their cost must not grow with their number.
    "write.metadata.delete-after-commit.enabled": "true",
    "write.metadata.previous-versions-max": "20",
    "commit.manifest-merge.enabled": "true",
    "commit.manifest.min-count-to-merge": "30",
    "history.expire.min-snapshots-to-keep": "20",
    # Small enough that one card of a sorted file is a small part of it.
    _ROW_GROUP_LIMIT: "32768",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column. What is added to a table that is in use is not required: old rows have none."""

    name: str
    type: IcebergType
    about: str
    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LakeTable:
    """One table, split by one of its times."""

    name: TableName
    about: str
    time: str
    """The column by whose day or hour it is split, and whose order compaction keeps."""
    columns: tuple[Column, ...]
    is_split: bool = True
    """False: so few rows that one part is enough."""
    without_metrics: tuple[str, ...] = ()
    """Long texts, whose smallest and largest value help no query."""
    has_features: bool = False

    def schema(self) -> Schema:
        """The columns as Iceberg has them before the catalog gives its own field ids."""
        return Schema(
            *(
                NestedField(
                    at, column.name, column.type, required=column.required, doc=column.about
                )
                for at, column in enumerate(self.columns, start=1)
            )
        )

    def arrow_schema(self) -> pa.Schema:
        """What a record says, as Arrow has it; ``features`` is not among it."""
        whole = schema_to_pyarrow(self.schema(), include_field_ids=False)
        return pa.schema([field for field in whole if field.name != KAFKA_TOPIC])

    def partition_spec(self, split: PartitionBy) -> PartitionSpec:
        """Split by day or hour, or not at all."""
        if not self.is_split:
            return PartitionSpec()
        source = next(at for at, column in enumerate(self.columns, 1) if column.name == self.time)
        transform: DayTransform[int] | HourTransform[int]
        transform = DayTransform() if split == "day" else HourTransform()
        return PartitionSpec(PartitionField(source, 1000, transform, f"{self.time}_{split}"))

    def sort_columns(self, order: SortBy) -> tuple[str, ...]:
        """The columns by which compaction sorts: for the history of a card, or in time."""
        has_card = any(column.name == "card_id" for column in self.columns)
        return ("card_id", self.time) if order == "card" and has_card else (self.time,)

    def properties(self) -> dict[str, str]:
        """What is set once, when the table is created."""
        metrics = {f"write.metadata.metrics.column.{name}": "none" for name in self.without_metrics}
        return {**_PROPERTIES, **metrics, "comment": self.about}


_TEXT = StringType()
_TIME = TimestamptzType()
_DOUBLE = DoubleType()
_LONG = LongType()
_INT = IntegerType()
_BOOL = BooleanType()
_AMOUNT = DecimalType(18, 4)
_BASE_AMOUNT = DecimalType(18, 2)

_RULE_IDS = ListType(100, _TEXT, element_required=True)


def _must(name: str, type_: IcebergType, about: str) -> Column:
    return Column(name=name, type=type_, about=about, required=True)


def _may(name: str, type_: IcebergType, about: str) -> Column:
    return Column(name=name, type=type_, about=about, required=False)


_KAFKA_COLUMNS = (
    _may(KAFKA_TOPIC, _TEXT, "Topic of this record; NULL in rows older than this column."),
    _must("kafka_partition", _INT, "Partition of this record."),
    _must("kafka_offset", _LONG, "Offset of this record."),
    _must("kafka_time", _TIME, "Kafka's time of this record."),
)

DECISIONS = LakeTable(
    name="decisions",
    about="One decision for each transaction, with the features as they were.",
    time="event_time",
    without_metrics=("transaction",),
    has_features=True,
    columns=(
        _must("decision_id", _TEXT, "Hash of the transaction's place in Kafka."),
        _must("transaction_id", _TEXT, "As the payment system gave it."),
        _must("event_time", _TIME, "When the card was used."),
        _must("card_id", _TEXT, "A token, never a card number."),
        _must("customer_id", _TEXT, "The card's owner."),
        _must("merchant_id", _TEXT, "Where it was used."),
        _must("merchant_category", _TEXT, "ISO 18245 merchant category code."),
        _must("amount", _AMOUNT, "Major units of `currency`, to four decimals."),
        _must("currency", _TEXT, "ISO 4217."),
        _must("base_amount", _BASE_AMOUNT, "Major units of `base_currency`."),
        _must("base_currency", _TEXT, "The currency all rules compare in."),
        _must("channel", _TEXT, "pos, ecom or atm."),
        _may("entry_mode", _TEXT, "chip, contactless, magstripe or manual."),
        _may("kind", _TEXT, "purchase, refund or withdrawal; NULL means purchase."),
        _may("status", _TEXT, "approved or declined; NULL means approved."),
        _may("decline_reason", _TEXT, "Why it was declined."),
        _may("country", _TEXT, "Where the merchant is, ISO 3166-1 alpha-2."),
        _may("latitude", _DOUBLE, "Of the merchant, in degrees."),
        _may("longitude", _DOUBLE, "Of the merchant, in degrees."),
        _may("device_id", _TEXT, "The customer's device."),
        _may("ip_address", _TEXT, "The customer's network address."),
        _may("ip_country", _TEXT, "Where that address is."),
        _may("billing_country", _TEXT, "Of the billing address."),
        _may("shipping_country", _TEXT, "Of the shipping address."),
        _may("billing_latitude", _DOUBLE, "Of the billing address."),
        _may("billing_longitude", _DOUBLE, "Of the billing address."),
        _may("shipping_latitude", _DOUBLE, "Of the shipping address."),
        _may("shipping_longitude", _DOUBLE, "Of the shipping address."),
        _must("transaction", _TEXT, "The original JSON text, byte for byte."),
        _must("score", _DOUBLE, "What the rules add up to."),
        _must("band", _TEXT, "allow, review or block."),
        _must("rules_fired", _RULE_IDS, "Active and shadow rules that fired."),
        _must("ruleset", _TEXT, "id@hash of the rule set."),
        _may("model", _TEXT, "id@hash of the model; NULL if none was asked."),
        _must("is_late", _BOOL, "Older than the newest transaction of its card."),
        _must("is_duplicate", _BOOL, "A repeat, which was decided once before."),
        _may("duplicate_of_offset", _LONG, "Offset of the transaction that was decided."),
        _may("previous_transaction_id", _TEXT, "What the travel features compare with."),
        _must("decided_at", _TIME, "The job's clock."),
        _may("alert_id", _TEXT, "The alert it belongs to; NULL if none."),
        _must("source_topic", _TEXT, "Topic of the transaction."),
        _must("source_partition", _INT, "Partition of the transaction."),
        _must("source_offset", _LONG, "Offset of the transaction."),
        *_KAFKA_COLUMNS,
    ),
)
LABELS = LakeTable(
    name="labels",
    about="What transactions turned out to be, known later.",
    time="label_time",
    without_metrics=("record",),
    columns=(
        _must("transaction_id", _TEXT, "The transaction judged."),
        _must("card_id", _TEXT, "Its card."),
        _must("merchant_id", _TEXT, "Its merchant."),
        _must("event_time", _TIME, "Of the transaction."),
        _must("label", _TEXT, "fraud or genuine."),
        _must("source", _TEXT, "chargeback or investigator."),
        _may("reason", _TEXT, "Why, in a word."),
        _may("device_id", _TEXT, "The transaction's device, if it had one."),
        _must("label_time", _TIME, "When it became known."),
        _must("record", _TEXT, "The original JSON text, byte for byte."),
        *_KAFKA_COLUMNS,
    ),
)
DEAD_LETTERS = LakeTable(
    name="dead_letters",
    about="Records that could not be decided, stored or indexed.",
    time="failed_at",
    without_metrics=("original", "detail"),
    columns=(
        _must("stage", _TEXT, "decode, lakehouse or alerts."),
        _must("reason", _TEXT, "A code."),
        _must("detail", _TEXT, "A sentence: which field, what is allowed."),
        _may("original", BinaryType(), "The record's value; NULL for a tombstone."),
        _must("source_topic", _TEXT, "Topic of the record."),
        _must("source_partition", _INT, "Partition of the record."),
        _must("source_offset", _LONG, "Offset of the record."),
        _must("failed_at", _TIME, "When it was set aside."),
        *_KAFKA_COLUMNS,
    ),
)
SINK_TABLES = (DECISIONS, LABELS, DEAD_LETTERS)
"""Those that the lakehouse sink fills, each from the topic of its name."""


def _struct(*columns: Column) -> StructType:
    return StructType(
        *(
            NestedField(at, column.name, column.type, required=column.required, doc=column.about)
            for at, column in enumerate(columns, start=200)
        )
    )


RULE_COLUMNS = (
    _must("rule_id", _TEXT, "As decisions name it in `rules_fired`."),
    _must("owner", _TEXT, "Who answers for it."),
    _must("state", _TEXT, "active or shadow: evaluated; draft or paused: not."),
    _must("weight", _DOUBLE, "How much it counts, as `combine` says."),
    _must("condition", _TEXT, "When it fires: `when` of the file."),
    _must("because", _TEXT, "The sentence of the alert, before its numbers stand in it."),
    _must("description", _TEXT, "What it is for, in words; empty where nobody said."),
)
RULESETS = LakeTable(
    name="rulesets",
    about="Every version of a rule set that came into use: published, or deployed with a job.",
    time="recorded_at",
    is_split=False,
    without_metrics=("text",),
    columns=(
        _must("ruleset", _TEXT, "id@hash, as decisions name it."),
        _must("id", _TEXT, "The rule set's name."),
        _must("hash", _TEXT, "Of what it and its features mean; comments do not count."),
        _must("description", _TEXT, "What it is for, in words; empty where nobody said."),
        _must("combine", _TEXT, "How weights make a score: noisy_or or sum."),
        _must("review_at", _DOUBLE, "From this score on: review."),
        _must("block_at", _DOUBLE, "From this score on: block."),
        _must(
            "rules",
            ListType(101, _struct(*RULE_COLUMNS), element_required=True),
            "Its rules in their order; the view `rules` has a row for each.",
        ),
        _must("text", _TEXT, "The file, TOML: saved to a file, it can be checked and run again."),
        _may("published_at", _TIME, "When it first came into use; NULL: before that was kept."),
        _may("origin", _TEXT, "How it did: published, or deployed with a job."),
        _may("source", _TEXT, "From where: a shipped name, or the path of a file."),
        _must("recorded_at", _TIME, "When this row was written."),
    ),
)
TABLES = (*SINK_TABLES, RULESETS)


def row_group_rows(table: Table) -> int:
    """Rows of one row group of its files: the piece in which a reader can leave out rows."""
    return int(table.properties.get(_ROW_GROUP_LIMIT, _PROPERTIES[_ROW_GROUP_LIMIT]))
