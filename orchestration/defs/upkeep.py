"""Group ``lakehouse``: what keeps the tables fast and small, one at a time, on schedules."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import dagster as dg

from orchestration.defs.lakehouse import dead_letters_table, decisions_table, labels_table
from orchestration.defs.rulesets import rulesets_table
from orchestration.defs.sinks import lakehouse_sink
from orchestration.failures import PATIENCE, translate_failures
from orchestration.keys import COMPACTION, EXPIRY, SWEEP
from orchestration.only_look import Looking
from orchestration.owners import DATA_PLATFORM
from orchestration.resources import Tables

POOL = "lakehouse_upkeep"
NO_TABLES = "nothing: there are no tables yet. The lakehouse sink makes them when it starts"
_FIGURES = ("files", "small_files", "unsorted_files", "bytes", "snapshots", "metadata_bytes")


def _build(
    task: Literal["compact", "expire", "sweep"], *, key: dg.AssetKey, about: str, when: str
) -> dg.AssetsDefinition:
    @dg.asset(
        key=key,
        # The tables are made by what writes them: in a run of both it comes first.
        deps=[lakehouse_sink, decisions_table, labels_table, dead_letters_table, rulesets_table],
        group_name="lakehouse",
        kinds={"iceberg", "python"},
        owners=[DATA_PLATFORM],
        description=(
            f"{about}\n\n"
            "Safe beside the sink: a commit lands on the very state of the table it was made for, "
            "or not at all. One upkeep runs at a time.\n\n"
            "When it is red: the run's log ends with the reason; nothing is lost, and the next one "
            "does what this one did not."
        ),
        metadata={
            "command": f"fraudlake lake {task}",
            "how tables are kept": dg.MetadataValue.path("docs/lakehouse.md"),
        },
        pool=POOL,
        retry_policy=PATIENCE,
    )
    def upkeep(
        context: dg.AssetExecutionContext, config: Looking, tables: dg.ResourceParam[Tables]
    ) -> dg.MaterializeResult[None]:
        steps: list[str] = []

        def tell(step: str) -> None:
            context.log.info(step)
            steps.append(step)

        with translate_failures():
            report = tables.keep_up(task, only_look=config.only_look, log=tell)
        if report is None:
            return dg.MaterializeResult(metadata={"done": NO_TABLES})
        if config.only_look:
            return dg.MaterializeResult(metadata=_tell_plan(steps, when=when))
        before = {one.table: dataclasses.asdict(one) for one in report.before}
        after = {one.table: dataclasses.asdict(one) for one in report.after}
        return dg.MaterializeResult(
            metadata={
                "before and after": dg.MetadataValue.md(_compare(before, after)),
                "partitions rewritten": report.partitions_rewritten,
                "partitions left for the next time": report.partitions_refused,
                "snapshots expired": report.snapshots_expired,
                "files deleted": report.files_deleted + report.strays_deleted,
                "bytes": sum(one["bytes"] for one in after.values()),
                "bytes saved": sum(one["bytes"] for one in before.values())
                - sum(one["bytes"] for one in after.values())
                + report.stray_bytes,
            }
        )

    return upkeep


def _tell_plan(steps: Sequence[str], *, when: str) -> dict[str, Any]:
    """What the schedule is going to do, in the words of the asset's page."""
    listed = "\n".join(f"- {step}" for step in steps) or "nothing is to be done"
    return {
        "done": f"nothing, this was a look. It is done {when}, or when it is materialized",
        "what is to be done": dg.MetadataValue.md(listed),
    }


def _compare(
    before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Mapping[str, Any]]
) -> str:
    """A row for each table and figure; one number where nothing has changed."""
    rows = []
    for table, figures in after.items():
        for name in _FIGURES:
            old, new = before[table][name], figures[name]
            change = f"{new:,}" if old == new else f"{old:,} → **{new:,}**"
            rows.append(f"| {table} | {name.replace('_', ' ')} | {change} |")
    return "\n".join(["| table | | before → after |", "| --- | --- | --- |", *rows])


compaction = _build(
    "compact",
    key=COMPACTION,
    when="at 20 past each hour (UTC)",
    about="Small files of closed days written anew as a few large ones, sorted for card look-ups.",
)
expiry = _build(
    "expire",
    key=EXPIRY,
    when="at 40 past each hour (UTC)",
    about="Old snapshots forgotten, and the files deleted that only they needed.",
)
sweep = _build(
    "sweep",
    key=SWEEP,
    when="each night at 04:10 (UTC)",
    about="Files that belong to no snapshot, left by killed writers, deleted when they are old.",
)

# Minutes apart, so that none waits for the other; the pool would make it.
compaction_hourly = dg.ScheduleDefinition(
    name="compaction_hourly",
    target=compaction,
    cron_schedule="20 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Days, or hours, that have closed since are compacted; mostly there is nothing.",
)
expiry_hourly = dg.ScheduleDefinition(
    name="expiry_hourly",
    target=expiry,
    cron_schedule="40 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="A commit costs more the more snapshots there are. How many stay: "
    "lakehouse.keep_snapshots, and the full hours of lakehouse.keep_snapshots_h.",
)
sweep_daily = dg.ScheduleDefinition(
    name="sweep_daily",
    target=sweep,
    cron_schedule="10 4 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Each night: how old a stray file must be is lakehouse.sweep_after_h.",
)
