"""The row that travels through the stages: packed in front of the first, named behind the last.

It always has the same columns, the last of which is bytes (``EventRow.java``). What differs from
plan to plan stands in them by position: the numbers and texts that rules look at, and the features.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flink_jobs import tables
from flink_jobs.tables import Column, quote
from pipelines.columns import transaction_columns
from pipelines.expressions.rendering import render_condition
from pipelines.expressions.tree import columns_of
from pipelines.features.stage import KEY_COLUMNS, KEYS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from pipelines.columns import Column as RuleColumn
    from pipelines.columns import ColumnType
    from pipelines.features import Entity, Feature, Stage
    from pipelines.rules import Ruleset

EVENT_COLUMNS = (
    "card_id",
    "customer_id",
    "merchant_key",
    "device_key",
    "ip_key",
    "event_time",
    "event",
)
"""In the order of ``EventRow.java``."""

_OPTIONAL_KEYS: tuple[Entity, ...] = ("device", "ip")
"""A transaction may have none; its row then goes where its card goes."""
_COMPUTED = frozenset({"base_amount"})
"""No field of the contract: ``arrived`` makes it of the minor units."""
_ALWAYS = (
    Column(name="transaction_id", type="STRING"),
    Column(name="card_id", type="STRING"),
    Column(name="customer_id", type="STRING"),
    Column(name="event_time", type="TIMESTAMP_LTZ(3)"),
    Column(name="base_amount_minor", type="BIGINT"),
    Column(name="latitude", type="DOUBLE"),
    Column(name="longitude", type="DOUBLE"),
)
"""What is read of every transaction, whatever the rules look at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventRow:
    """What the row of one plan carries."""

    used: tuple[RuleColumn, ...]
    """The transaction's columns that rules look at; those of filters are used before."""
    stages: tuple[Stage, ...]

    @classmethod
    def of(cls, ruleset: Ruleset, stages: tuple[Stage, ...]) -> EventRow:
        """The row for a rule set and the stages that it needs."""
        features = {feature.name for stage in stages for feature in stage.features}
        wanted = ruleset.columns - features - _COMPUTED
        used = tuple(column for column in transaction_columns() if column.name in wanted)
        return cls(used=used, stages=stages)

    @property
    def features(self) -> tuple[Feature, ...]:
        """Those of all stages, in their order in the row."""
        return tuple(feature for stage in self.stages for feature in stage.features)

    def source_columns(self) -> list[Column]:
        """What the source must read of a transaction."""
        of_filters = set().union(
            *(columns_of(item.condition) for stage in self.stages for item in stage.filters)
        )
        wanted = {column.name for column in self.used} | (of_filters - _COMPUTED)
        keys = {KEY_COLUMNS[stage.entity] for stage in self.stages if stage.mixes_cards}
        known = {column.name for column in _ALWAYS}
        texts = (_named_of_type("text", wanted) | keys) - known
        numbers = _named_of_type("number", wanted) - known
        categories = self.stages[0].all_categories
        return [
            *_ALWAYS,
            *(Column(name=name, type="STRING") for name in sorted(texts)),
            *(Column(name=name, type="DOUBLE") for name in sorted(numbers)),
            *(Column(name=f"{name}_hash", type="BIGINT") for name in categories),
        ]

    def arrived(self) -> str:
        """A view of every record, with defaults for optional fields, and why it is not decided."""
        defaults = {item.name: item.default for item in transaction_columns() if item.default}
        values = [
            f"COALESCE(`{column.name}`, {quote(defaults[column.name])}) AS `{column.name}`"
            if column.name in defaults
            else f"`{column.name}`"
            for column in self.source_columns()
        ]
        body = ", ".join([*values, *(f"`{name}`" for name in tables.RECORD_COLUMNS)])
        return (
            f"CREATE TEMPORARY VIEW arrived AS SELECT {body},\n"
            "  CAST(`base_amount_minor` AS DOUBLE) / 1e2 AS `base_amount`,\n"
            "  CASE WHEN `fault` IS NOT NULL THEN `fault`\n"
            f"    WHEN `event_time` > `kafka_time` + {tables.FUTURE_LIMIT} "
            "THEN 'event_time_in_future' END AS `reason`\n"
            "FROM transactions"
        )

    def packed(self) -> str:
        """The view ``events``: the rows of ``arrived`` that can be decided."""
        keys = self._keys()
        columns = [
            "`card_id`",
            "`customer_id`",
            *(f"{keys[name]} AS `{name}`" for name in keys),
            "`event_time`",
            f"f_event({', '.join(self._arguments())}) AS `event`",
        ]
        body = ",\n  ".join(columns)
        return (
            f"CREATE TEMPORARY VIEW events AS SELECT\n  {body}\nFROM arrived WHERE `reason` IS NULL"
        )

    def named(self, source: str) -> str:
        """The step ``named``: what stands in the row of ``source`` by position, by its names."""
        features = [feature.name for feature in self.features]
        columns = [
            *(f"f_feature(`event`, {i}) AS `{name}`" for i, name in enumerate(features)),
            *(f"f_number(`event`, {i}) AS `{x}`" for i, x in enumerate(self._used("number"))),
            *(f"f_text(`event`, {i}) AS `{name}`" for i, name in enumerate(self._used("text"))),
            "f_base_amount(`event`) AS `base_amount`",
            "f_is_duplicate(`event`) AS `is_duplicate`",
        ]
        body = ",\n  ".join(["`card_id`, `customer_id`, `event`", *columns])
        return f"named AS (SELECT\n  {body}\nFROM {source})"

    def _arguments(self) -> list[str]:
        """Those of ``PackEvent.java``."""
        hashes = [f"`{name}_hash`" for name in self.stages[0].all_categories]
        return [
            "`event_time`",
            "`base_amount_minor`",
            self._flags(),
            "`latitude`",
            "`longitude`",
            "`source_partition`",
            "`source_offset`",
            _array(hashes, "BIGINT"),
            _array([f"`{name}`" for name in self._used("number")], "DOUBLE"),
            str(len(self.features)),
            "`transaction_id`",
            _array([f"`{name}`" for name in self._used("text")], "STRING"),
            "`raw`",
        ]

    def _flags(self) -> str:
        """A bit for each filter, set where it holds."""
        filters = {item.name: item for stage in self.stages for item in stage.filters}
        flags = [
            f"CASE WHEN {render_condition(filters[name].condition, 'flink')} "
            f"THEN CAST({1 << bit} AS BIGINT) ELSE CAST(0 AS BIGINT) END"
            for bit, name in enumerate(self.stages[0].all_filters)
        ]
        return " + ".join(flags) or "CAST(0 AS BIGINT)"

    def _keys(self) -> dict[str, str]:
        """What stages beside card and customer are keyed by; CHR(1) begins what stands for none."""
        keys = dict.fromkeys(("merchant_key", "device_key", "ip_key"), "CAST(NULL AS STRING)")
        if self._has_stage("merchant"):
            keys["merchant_key"] = "`merchant_id`"
        for entity in _OPTIONAL_KEYS:
            if self._has_stage(entity):
                column = f"`{KEY_COLUMNS[entity]}`"
                keys[KEYS[entity]] = f"COALESCE({column}, CONCAT(CHR(1), `card_id`))"
        return keys

    def _has_stage(self, entity: Entity) -> bool:
        return any(stage.entity == entity and not stage.is_attributes for stage in self.stages)

    def _used(self, kind: ColumnType) -> list[str]:
        return [column.name for column in self.used if column.type == kind]


def _array(items: Sequence[str], type_of_item: str) -> str:
    if not items:
        return f"CAST(NULL AS ARRAY<{type_of_item}>)"
    return f"ARRAY[{', '.join(items)}]"


def _named_of_type(kind: ColumnType, names: Collection[str]) -> set[str]:
    return {item.name for item in transaction_columns() if item.name in names and item.type == kind}
