"""The job as SQL: a list of statements that reads like the picture in ARCHITECTURE.md.

transactions ► arrived ► events ► (customer stage) ► card stage ► named ► fired ► scored ► outbox;
what breaks its contract ► dead_letters. Text only: planning needs no Flink, so a faulty rule set is
refused before anything is stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flink_jobs import tables
from flink_jobs.tables import Column, quote
from pipelines.columns import Column as RuleColumn
from pipelines.columns import transaction_columns
from pipelines.expressions.rendering import render_condition
from pipelines.expressions.tree import columns_of
from pipelines.rules import CompiledRuleset, Ruleset, compile_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.features import Features, Stage
    from pipelines.fx import FxTable
    from pipelines.settings import Settings

EVENT_COLUMNS = (
    "card_id",
    "customer_id",
    "transaction_id",
    "event_time",
    "amount_minor",
    "flags",
    "latitude",
    "longitude",
    "hashes",
    "features",
    "numbers",
    "texts",
    "raw",
    "source_partition",
    "source_offset",
)
VERDICT_COLUMNS = (
    "is_late",
    "is_duplicate",
    "duplicate_of_offset",
    "previous_transaction_id",
)
KERNEL = "io.fraudlake.profile"

# Flink cannot type an ARRAY[] without items: a rule set may have shadow rules only.
_NO_REASON = (
    "CAST(NULL AS ROW<`id` STRING, `weight` DOUBLE, `observed` DOUBLE, `limit` DOUBLE, "
    "`because` STRING>)"
)

# A customer that was deleted: a key alone. It makes the stage forget, and is no fault.
_TOMBSTONE = "(`raw` IS NULL AND `record_key` IS NOT NULL)"


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
    has_customers = any(stage.entity == "customer" for stage in stages)
    used = _used_columns(ruleset, stages)
    group = f"{settings.kafka.topic_prefix}{settings.flink.job_name}"
    compiled = compile_rules(ruleset, "flink")
    columns = _source_columns(used, stages)
    setup = [
        *_functions(has_customers=has_customers),
        tables.transactions(settings.kafka, group=group, columns=columns, fx=fx),
        *([tables.customers(settings.kafka, group=group)] if has_customers else []),
        tables.outbox(settings.kafka, job=group, features=_feature_kinds(stages)),
        tables.dead_letters(settings.kafka, job=group),
        _arrived(columns),
        _events(used, stages),
        *([_customer_profiles()] if has_customers else []),
    ]
    steps = [*_stage_steps(stages), _named(used, stages), _fired(compiled), _scored(compiled)]
    inserts = [
        _insert_outbox(settings, compiled, ruleset, fx, steps),
        _insert_dead_letters(settings, has_customers=has_customers),
    ]
    return Statement(
        setup=tuple(setup),
        inserts=tuple(inserts),
        sources=("transactions", "customers") if has_customers else ("transactions",),
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
    for stage in stages:
        for item in stage.filters:
            texts |= columns_of(item.condition)
    categories = [name for stage in stages for name in stage.categories]
    numbers = [column.name for column in used if column.type == "number"]
    return [
        *(Column(name=name, type="STRING") for name in names),
        Column(name="event_time", type="TIMESTAMP_LTZ(3)"),
        Column(name="base_amount_minor", type="BIGINT"),
        Column(name="latitude", type="DOUBLE"),
        Column(name="longitude", type="DOUBLE"),
        *(Column(name=name, type="STRING") for name in sorted(texts - set(names))),
        *(
            Column(name=name, type="DOUBLE")
            for name in numbers
            if name not in ("latitude", "longitude")
        ),
        *(Column(name=f"{name}_hash", type="BIGINT") for name in categories),
    ]


def _feature_kinds(stages: Sequence[Stage]) -> list[str]:
    return [f"{feature.name}:{feature.kind}" for stage in stages for feature in stage.features]


def _functions(*, has_customers: bool) -> list[str]:
    functions = {"f_card_profile": "Profile"}
    if has_customers:
        functions["f_customer_profile"] = "CustomerProfile"
    return [
        f"CREATE TEMPORARY SYSTEM FUNCTION {name} AS '{KERNEL}.{kind}' LANGUAGE JAVA"
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
    card = stages[-1]
    flags = [
        f"CASE WHEN {render_condition(item.condition, 'flink')} THEN CAST({1 << bit} AS BIGINT) "
        "ELSE CAST(0 AS BIGINT) END"
        for bit, item in enumerate(card.filters)
    ]
    hashes = [f"`{name}_hash`" for name in card.categories]
    numbers = [f"`{column.name}`" for column in used if column.type == "number"]
    texts = [f"`{column.name}`" for column in used if column.type == "text"]
    values = {
        "amount_minor": "`base_amount_minor`",
        "flags": " + ".join(flags) or "CAST(0 AS BIGINT)",
        "hashes": _array(hashes, "BIGINT"),
        "features": "CAST(NULL AS ARRAY<DOUBLE>)",
        "numbers": _array(numbers, "DOUBLE"),
        "texts": _array(texts, "STRING"),
    }
    columns = [f"{values.get(name, f'`{name}`')} AS `{name}`" for name in EVENT_COLUMNS]
    body = ",\n  ".join(columns)
    return f"CREATE TEMPORARY VIEW events AS SELECT\n  {body}\nFROM arrived WHERE `reason` IS NULL"


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
    columns = ", ".join(f"`{name}`" for name in EVENT_COLUMNS)
    for stage in stages:
        if stage.entity == "customer":
            call = (
                f"f_customer_profile(r => TABLE {source} PARTITION BY `customer_id`, "
                "customers => TABLE customer_profiles PARTITION BY `customer_id`, "
                f"plan => {quote(stage.plan_json())}, uid => 'customer-profile')"
            )
            steps.append(f"with_customer AS (SELECT\n  {columns}\nFROM {call})")
            source = "with_customer"
        else:
            verdict = ", ".join(f"`{name}`" for name in VERDICT_COLUMNS)
            call = (
                f"f_card_profile(r => TABLE {source} PARTITION BY `card_id`, "
                f"plan => {quote(stage.plan_json())}, uid => 'card-profile')"
            )
            steps.append(f"profiled AS (SELECT\n  {columns},\n  {verdict}\nFROM {call})")
    return steps


def _customer_profiles() -> str:
    """A tombstone has its key alone; without a time it makes the stage forget the customer."""
    return (
        "CREATE TEMPORARY VIEW customer_profiles AS SELECT\n"
        "  COALESCE(`customer_id`, DECODE(`record_key`, 'UTF-8')) AS `customer_id`,\n"
        "  `updated_at`,\n"
        "  ARRAY[`max_speed_kmh`, `home_latitude`, `home_longitude`] AS `attributes`\n"
        f"FROM customers WHERE `fault` IS NULL OR {_TOMBSTONE}"
    )


def _named(used: Sequence[RuleColumn], stages: Sequence[Stage]) -> str:
    features = [feature.name for stage in stages for feature in stage.features]
    numbers = [column.name for column in used if column.type == "number"]
    texts = [column.name for column in used if column.type == "text"]
    columns = [
        *(f"`features`[{i}] AS `{name}`" for i, name in enumerate(features, start=1)),
        *(f"`numbers`[{i}] AS `{name}`" for i, name in enumerate(numbers, start=1)),
        *(f"`texts`[{i}] AS `{name}`" for i, name in enumerate(texts, start=1)),
        "CAST(`amount_minor` AS DOUBLE) / 1e2 AS `base_amount`",
    ]
    # `latitude` and `longitude` stand in the event row already, under their own names.
    body = ",\n  ".join(
        item for item in columns if not item.endswith(("`latitude`", "`longitude`"))
    )
    kept = [name for name in EVENT_COLUMNS if name not in ("numbers", "texts", "hashes", "flags")]
    rest = ", ".join(f"`{name}`" for name in (*kept, *VERDICT_COLUMNS))
    return f"named AS (SELECT\n  {rest},\n  {body}\nFROM profiled)"


def _fired(compiled: CompiledRuleset) -> str:
    fired = [f"NOT `is_duplicate` AND {rule.fires} AS `fired_{rule.id}`" for rule in compiled.rules]
    body = ",\n  ".join(["*", *fired])
    return f"fired AS (SELECT {body}\nFROM named)"


def _scored(compiled: CompiledRuleset) -> str:
    score = compiled.score_sql([f"`fired_{rule.id}`" for rule in compiled.rules])
    # The clock is read once, before a decision becomes two records that must tell the same time.
    clock = "CAST(CURRENT_TIMESTAMP AS TIMESTAMP_LTZ(3)) AS `decided_at`"
    return f"scored AS (SELECT *,\n  {score} AS `score`,\n  {clock}\nFROM fired)"


def _insert_outbox(
    settings: Settings,
    compiled: CompiledRuleset,
    ruleset: Ruleset,
    fx: FxTable,
    steps: Sequence[str],
) -> str:
    topics = settings.kafka.topics()
    decisions, alerts = quote(topics.decisions.name), quote(topics.alerts.name)
    transactions = quote(topics.transactions.name)
    band = compiled.band_sql("`score`")
    flagged = f"{band} <> 'allow'"
    alert_id = _digest(["'alert'", "`card_id`", "`transaction_id`"])
    decision_id = _digest(
        [
            "'decision'",
            transactions,
            "CAST(`source_partition` AS STRING)",
            "CAST(`source_offset` AS STRING)",
        ]
    )
    fired = [f"CASE WHEN `fired_{rule.id}` THEN {quote(rule.id)} END" for rule in compiled.rules]
    reasons = [
        f"CASE WHEN `fired_{rule.id}` THEN ROW({quote(rule.id)}, CAST({rule.weight!r} AS DOUBLE), "
        f"{rule.observed}, {rule.limit}, {rule.because}) END"
        for rule in compiled.rules
        if rule.state == "active"
    ]
    alert = (
        f"ROW({alert_id}, CAST(1 AS BIGINT), `card_id`, `customer_id`, `event_time`, `event_time`, "
        f"CAST(1 AS BIGINT), `base_amount`, {quote(fx.base)}, `score`, {band}, "
        f"{quote(ruleset.version)}, ARRAY[{', '.join(reasons or [_NO_REASON])}], "
        f"ROW({decision_id}, `transaction_id`, `event_time`))"
    )
    columns = [
        "u.topic",
        "`card_id`",
        decision_id,
        "`raw`",
        "`base_amount`",
        quote(fx.base),
        "`features`",
        "`score`",
        band,
        f"ARRAY[{', '.join(fired)}]",
        quote(ruleset.version),
        "CAST(NULL AS STRING)",
        "`is_late`",
        "`is_duplicate`",
        "`duplicate_of_offset`",
        "`previous_transaction_id`",
        f"ROW({transactions}, `source_partition`, `source_offset`)",
        "`decided_at`",
        f"CASE WHEN {flagged} THEN {alert_id} END",
        f"CASE WHEN u.topic = {alerts} THEN {alert} END",
    ]
    body = ",\n  ".join(columns)
    with_steps = ",\n".join(steps)
    return (
        f"INSERT INTO outbox WITH {with_steps}\nSELECT\n  {body}\n"
        f"FROM scored CROSS JOIN UNNEST(CASE WHEN {flagged} "
        f"THEN ARRAY[{decisions}, {alerts}] ELSE ARRAY[{decisions}] END) AS u(topic)"
    )


def _digest(parts: Sequence[str]) -> str:
    """The recipe of ``pipelines/ids.py`` in SQL."""
    joined = ", CHR(10), ".join(parts)
    return f"SUBSTRING(SHA256(CONCAT({joined})) FROM 1 FOR 32)"


def _insert_dead_letters(settings: Settings, *, has_customers: bool) -> str:
    topics = settings.kafka.topics()
    letters = [
        _letters("arrived WHERE `reason` IS NOT NULL", topics.transactions.name, "`reason`"),
    ]
    if has_customers:
        broken = f"customers WHERE `fault` IS NOT NULL AND NOT {_TOMBSTONE}"
        letters.append(_letters(broken, topics.customers.name, "`fault`"))
    return "INSERT INTO dead_letters\n" + "\nUNION ALL\n".join(letters)


def _letters(source: str, topic: str, reason: str) -> str:
    detail = "COALESCE(`fault_detail`, 'event_time is more than 10 minutes ahead of the record')"
    return (
        f"SELECT `record_key`, 'decode', {reason}, {detail}, `raw`, {quote(topic)}, "
        "`source_partition`, `source_offset`, CAST(CURRENT_TIMESTAMP AS TIMESTAMP_LTZ(3)) "
        f"FROM {source}"
    )
