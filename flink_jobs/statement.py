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
from flink_jobs.event_row import EVENT_COLUMNS, EventRow
from flink_jobs.side_inputs import SideInput, side_inputs, stage_call
from flink_jobs.tables import quote
from pipelines.rules import Ruleset, compile_rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.features import Features, Stage
    from pipelines.fx import FxTable
    from pipelines.settings import Settings

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
    row = EventRow.of(ruleset, stages)
    group = settings.job_group
    sides = side_inputs(stages, settings.kafka, group=group)
    kinds = [f"{feature.name}:{feature.kind}" for feature in row.features]
    setup = [
        *_functions(sides),
        tables.transactions(settings.kafka, group=group, columns=row.source_columns(), fx=fx),
        *(side.table for side in sides),
        tables.outbox(settings.kafka, job=group, features=kinds),
        tables.dead_letters(settings.kafka, job=group),
        row.arrived(),
        row.packed(),
        *(view for side in sides for view in side.views),
    ]
    decisions = DecisionPlan(
        compiled=compile_rules(ruleset, "flink"),
        topics=settings.kafka.topics(),
        base_currency=fx.base,
        is_reordering=any(stage.mixes_cards for stage in stages),
        alert_window_ms=settings.flink.alert_window_h * 3_600_000,
    )
    steps = [*_stage_steps(stages), row.named("profiled"), *decision_steps(decisions)]
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


def _functions(sides: Sequence[SideInput]) -> list[str]:
    functions = FUNCTIONS | dict(side.function for side in sides)
    return [
        f"CREATE TEMPORARY SYSTEM FUNCTION {name} AS '{kind}' LANGUAGE JAVA"
        for name, kind in functions.items()
    ]


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
