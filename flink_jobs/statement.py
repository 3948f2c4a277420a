"""The job as SQL: a list of statements that reads like the picture in ARCHITECTURE.md.

transactions ► arrived ► events ► a stage for each entity in use ► named ► fired ► judged
(``decisions``) ► outbox; what breaks its contract ► dead_letters. Text only: planning needs no
Flink, so a faulty rule set is refused before anything is stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flink_jobs import tables
from flink_jobs.decisions import FIXED_TEXT, JUDGEMENT, DecisionPlan, decision_steps, insert_outbox
from flink_jobs.side_inputs import SideInput, side_inputs, stage_call
from flink_jobs.tables import Column, quote
from pipelines.columns import Column as RuleColumn
from pipelines.columns import transaction_columns
from pipelines.expressions.rendering import render_condition
from pipelines.expressions.tree import columns_of
from pipelines.features.stage import KEY_COLUMNS, KEYS
from pipelines.rules import Ruleset, compile_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.features import Entity, Features, Stage
    from pipelines.fx import FxTable
    from pipelines.settings import Settings

EVENT_COLUMNS = (
    "card_id",
    "customer_id",
    "merchant_key",
    "device_key",
    "ip_key",
    "event_time",
    "event",
)
"""The row that travels through the stages, in the order of ``EventRow.java``."""

_OPTIONAL_KEYS: tuple[Entity, ...] = ("device", "ip")
"""A transaction may have none; its row then goes where its card goes."""

JAVA = "io.fraudlake"
FUNCTIONS = {
    "f_event": f"{JAVA}.event.PackEvent",
    "f_feature": f"{JAVA}.event.EventFeature",
    "f_number": f"{JAVA}.event.EventNumber",
    "f_text": f"{JAVA}.event.EventText",
    "f_base_amount": f"{JAVA}.event.EventAmount",
    "f_is_duplicate": f"{JAVA}.event.EventIsDuplicate",
    "f_fixed": FIXED_TEXT,
    "f_profile": f"{JAVA}.profile.Profile",
    "f_judgement": JUDGEMENT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What the job runs: functions and tables to declare, and the two inserts of one job."""

    setup: tuple[str, ...]
    inserts: tuple[str, ...]
    sources: tuple[str, ...]
    sinks: tuple[str, ...]
    ruleset: str

    def script(self) -> str:
        """Everything as one SQL script, for people."""
        body = ";\n\n".join(self.setup)
        inserts = ";\n".join(self.inserts)
        return f"{body};\n\nEXECUTE STATEMENT SET BEGIN\n{inserts};\nEND;\n"


def write_statement(
    settings: Settings, *, ruleset: Ruleset, features: Features, fx: FxTable
) -> Statement:
    """Plan the job for one rule set: only the stages and features that its rules use."""
    stages = features.select(ruleset.columns)
    used = _used_columns(ruleset, stages)
    group = settings.job_group
    sides = side_inputs(stages, settings.kafka, group=group)
    columns = _source_columns(used, stages)
    setup = [
        *_functions(sides),
        tables.transactions(settings.kafka, group=group, columns=columns, fx=fx),
        *(side.table for side in sides),
        tables.outbox(settings.kafka, job=group, features=_feature_kinds(stages)),
        tables.dead_letters(settings.kafka, job=group),
        _arrived(columns),
        _events(used, stages),
        *(view for side in sides for view in side.views),
    ]
    decisions = DecisionPlan(
        compiled=compile_rules(ruleset, "flink"),
        topics=settings.kafka.topics(),
        base_currency=fx.base,
        is_reordering=any(stage.mixes_cards for stage in stages),
        alert_window_ms=settings.flink.alert_window_h * 3_600_000,
    )
    steps = [*_stage_steps(stages), _named(used, stages), *decision_steps(decisions)]
    inserts = [
        insert_outbox(decisions, steps),
        _insert_dead_letters(settings, sides),
    ]
    return Statement(
        setup=tuple(setup),
        inserts=tuple(inserts),
        sources=("transactions", *(side.name for side in sides)),
        sinks=("outbox", "dead_letters"),
        ruleset=ruleset.version,
    )


def _used_columns(ruleset: Ruleset, stages: Sequence[Stage]) -> tuple[RuleColumn, ...]:
    """The transaction columns that rules look at; those of filters are used before the stages."""
    features = {feature.name for stage in stages for feature in stage.features}
    wanted = ruleset.columns - features - {"base_amount"}
    return tuple(column for column in transaction_columns() if column.name in wanted)


def _source_columns(used: Sequence[RuleColumn], stages: Sequence[Stage]) -> list[Column]:
    names = ["transaction_id", "card_id", "customer_id"]
    texts = {column.name for column in used if column.type == "text"}
    number_names = {column.name for column in used if column.type == "number"}
    of_filters = set().union(
        *(columns_of(item.condition) for stage in stages for item in stage.filters)
    )
    for column in transaction_columns():
        if column.name in of_filters - {"base_amount"}:
            (texts if column.type == "text" else number_names).add(column.name)
    texts |= {KEY_COLUMNS[stage.entity] for stage in stages if stage.mixes_cards}
    return [
        *(Column(name=name, type="STRING") for name in names),
        Column(name="event_time", type="TIMESTAMP_LTZ(3)"),
        Column(name="base_amount_minor", type="BIGINT"),
        Column(name="latitude", type="DOUBLE"),
        Column(name="longitude", type="DOUBLE"),
        *(Column(name=name, type="STRING") for name in sorted(texts - set(names))),
        *(
            Column(name=name, type="DOUBLE")
            for name in sorted(number_names)
            if name not in ("latitude", "longitude")
        ),
        *(Column(name=f"{name}_hash", type="BIGINT") for name in stages[0].all_categories),
    ]


def _has_stage(stages: Sequence[Stage], entity: Entity) -> bool:
    return any(stage.entity == entity and not stage.is_attributes for stage in stages)


def _feature_kinds(stages: Sequence[Stage]) -> list[str]:
    return [f"{feature.name}:{feature.kind}" for stage in stages for feature in stage.features]


def _functions(sides: Sequence[SideInput]) -> list[str]:
    functions = FUNCTIONS | dict(side.function for side in sides)
    return [
        f"CREATE TEMPORARY SYSTEM FUNCTION {name} AS '{kind}' LANGUAGE JAVA"
        for name, kind in functions.items()
    ]


def _arrived(columns: Sequence[Column]) -> str:
    """Every record, with defaults for optional fields, and why it cannot be decided."""
    defaults = {column.name: column.default for column in transaction_columns() if column.default}
    values = [
        f"COALESCE(`{column.name}`, {quote(defaults[column.name])}) AS `{column.name}`"
        if column.name in defaults
        else f"`{column.name}`"
        for column in columns
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


def _events(used: Sequence[RuleColumn], stages: Sequence[Stage]) -> str:
    filters = {item.name: item for stage in stages for item in stage.filters}
    flags = [
        f"CASE WHEN {render_condition(filters[name].condition, 'flink')} "
        f"THEN CAST({1 << bit} AS BIGINT) ELSE CAST(0 AS BIGINT) END"
        for bit, name in enumerate(stages[0].all_filters)
    ]
    hashes = [f"`{name}_hash`" for name in stages[0].all_categories]
    numbers = [f"`{column.name}`" for column in used if column.type == "number"]
    texts = [f"`{column.name}`" for column in used if column.type == "text"]
    features = sum(len(stage.features) for stage in stages)
    arguments = [
        "`event_time`",
        "`base_amount_minor`",
        " + ".join(flags) or "CAST(0 AS BIGINT)",
        "`latitude`",
        "`longitude`",
        "`source_partition`",
        "`source_offset`",
        _array(hashes, "BIGINT"),
        _array(numbers, "DOUBLE"),
        str(features),
        "`transaction_id`",
        _array(texts, "STRING"),
        "`raw`",
    ]
    keys = _keys(stages)
    columns = [
        "`card_id`",
        "`customer_id`",
        *(f"{keys[name]} AS `{name}`" for name in keys),
        "`event_time`",
        f"f_event({', '.join(arguments)}) AS `event`",
    ]
    body = ",\n  ".join(columns)
    return f"CREATE TEMPORARY VIEW events AS SELECT\n  {body}\nFROM arrived WHERE `reason` IS NULL"


def _keys(stages: Sequence[Stage]) -> dict[str, str]:
    """What the stages beside card and customer are keyed by; CHR(1) begins what stands for none."""
    keys = dict.fromkeys(("merchant_key", "device_key", "ip_key"), "CAST(NULL AS STRING)")
    if _has_stage(stages, "merchant"):
        keys["merchant_key"] = "`merchant_id`"
    for entity in _OPTIONAL_KEYS:
        if _has_stage(stages, entity):
            column = f"`{KEY_COLUMNS[entity]}`"
            keys[KEYS[entity]] = f"COALESCE({column}, CONCAT(CHR(1), `card_id`))"
    return keys


def _array(items: Sequence[str], type_of_item: str) -> str:
    if not items:
        return f"CAST(NULL AS ARRAY<{type_of_item}>)"
    return f"ARRAY[{', '.join(items)}]"


def _stage_steps(stages: Sequence[Stage]) -> list[str]:
    """Each keyed stage over the one before; the columns get their order back by name.

    Steps of a WITH, not views: Flink cannot read back the text it makes of a view that calls a
    process table function.
    """
    steps: list[str] = []
    source = "events"
    # Behind a stage the time is that of its timers; the row's own has become a plain value.
    columns = ", ".join(
        "`rowtime` AS `event_time`" if name == "event_time" else f"`{name}`"
        for name in EVENT_COLUMNS
    )
    for number, stage in enumerate(stages, start=1):
        call = stage_call(stage, source)
        source = "profiled" if number == len(stages) else f"with_{stage.uid.replace('-', '_')}"
        steps.append(f"{source} AS (SELECT\n  {columns}\nFROM {call})")
    return steps


def _named(used: Sequence[RuleColumn], stages: Sequence[Stage]) -> str:
    features = [feature.name for stage in stages for feature in stage.features]
    numbers = [column.name for column in used if column.type == "number"]
    texts = [column.name for column in used if column.type == "text"]
    columns = [
        *(f"f_feature(`event`, {i}) AS `{name}`" for i, name in enumerate(features)),
        *(f"f_number(`event`, {i}) AS `{name}`" for i, name in enumerate(numbers)),
        *(f"f_text(`event`, {i}) AS `{name}`" for i, name in enumerate(texts)),
        "f_base_amount(`event`) AS `base_amount`",
        "f_is_duplicate(`event`) AS `is_duplicate`",
    ]
    body = ",\n  ".join(["`card_id`, `customer_id`, `event`", *columns])
    return f"named AS (SELECT\n  {body}\nFROM profiled)"


def _insert_dead_letters(settings: Settings, sides: Sequence[SideInput]) -> str:
    transactions = settings.kafka.topics().transactions.name
    letters = [
        _letters("arrived WHERE `reason` IS NOT NULL", transactions, time="event_time"),
        *(
            _letters(f"{side.name} WHERE {side.broken}", side.topic, time=side.future)
            for side in sides
        ),
    ]
    return "INSERT INTO dead_letters\n" + "\nUNION ALL\n".join(letters)


def _letters(source: str, topic: str, *, time: str) -> str:
    """What no parser found fault with is there for its ``time``."""
    reason = "COALESCE(`fault`, 'event_time_in_future')"
    detail = f"COALESCE(`fault_detail`, '{time} is more than 10 minutes ahead of the record')"
    return (
        f"SELECT `record_key`, 'decode', {reason}, {detail}, `raw`, {quote(topic)}, "
        "`source_partition`, `source_offset`, CAST(CURRENT_TIMESTAMP AS TIMESTAMP_LTZ(3)) "
        f"FROM {source}"
    )
