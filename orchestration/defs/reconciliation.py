"""Reconciliation, hour by hour: what came in, was decided, stored and shown, exactly once.

An asset of its own, because tables and index have no partitions, and an hour that was missed is to
be filled in like data. Its hours are named when they are to be compared, not by the clock: one that
has closed and is not due yet would stand there as missing. Its checks have the same partitions,
named by themselves: they do not have them from their asset, and without them a green hour would
hide the red one before it.
"""

import warnings
from datetime import UTC, datetime

import dagster as dg

from orchestration.check_results import to_result
from orchestration.defs.alerts import fraud_alerts
from orchestration.defs.ingest import transactions
from orchestration.defs.lakehouse import dead_letters_table, decisions_table
from orchestration.failures import PATIENCE, translate_failures
from orchestration.hours_due import name_hour, newest_closed, read_hour
from orchestration.keys import RECONCILIATION
from orchestration.owners import DATA_PLATFORM
from orchestration.reconciling import judge_alerted_hour, judge_stored_hour
from orchestration.resources import Audit

HOURS = dg.DynamicPartitionsDefinition(name="reconciled_hours")

with warnings.catch_warnings():
    # Checks with partitions are a preview of Dagster's: a test sees to it that they keep hours
    # apart, which nothing else does.
    warnings.simplefilter("ignore", dg.PreviewWarning)
    CHECKS = (
        dg.AssetCheckSpec(
            name="stored_once",
            asset=RECONCILIATION,
            partitions_def=HOURS,
            description="Every transaction of the hour was decided or set aside once, and stands "
            "in the lakehouse once.",
        ),
        dg.AssetCheckSpec(
            name="alerted_once",
            asset=RECONCILIATION,
            partitions_def=HOURS,
            description="Every flagged decision of the hour is in an alert, and every such alert "
            "is a document of the index, once.",
        ),
    )


@dg.asset(
    key=RECONCILIATION,
    deps=[transactions, decisions_table, dead_letters_table, fraud_alerts],
    partitions_def=HOURS,
    group_name="lakehouse",
    kinds={"kafka", "iceberg", "elasticsearch"},
    owners=[DATA_PLATFORM],
    description=(
        "One hour of transactions, counted in every system against the step before.\n\n"
        "Materialize an hour, or backfill many, to compare it: its two checks say what is missing, "
        "there twice or there without a cause, name the first twenty, and give the query that "
        "shows them. The hour that has just closed is compared a quarter of an hour later; an "
        "older one can be added where the hours are chosen, written as 2026-03-01-14:00 (UTC).\n\n"
        "When a check is red: what waits for the job or the sink comes by itself, and the hour is "
        "compared again. What stays missing is lost to that system; `fraudlake reconcile` "
        "looks at everything that Kafka still holds."
    ),
    metadata={"command": "fraudlake reconcile"},
    check_specs=CHECKS,
    pool="reconciliation",
    retry_policy=PATIENCE,
)
def hours(
    context: dg.AssetExecutionContext, audit: dg.ResourceParam[Audit]
) -> dg.MaterializeResult:  # type: ignore[type-arg]  # with checks Dagster knows but the bare class
    with translate_failures():
        begin = read_hour(context.partition_key)
        found = audit.gather_hour(begin, log=context.log.debug)
    now = datetime.now(UTC)
    verdicts = {
        "stored_once": judge_stored_hour(found, now=now),
        "alerted_once": judge_alerted_hour(found, now=now),
    }
    return dg.MaterializeResult(
        metadata={
            "transactions": found.evidence.transactions.distinct(),
            "decisions": found.evidence.decisions.distinct(),
            "dead letters": found.evidence.dead_letters.distinct(),
            "flagged decisions": found.evidence.flagged.distinct(),
            "alerts": len(found.evidence.alerts_caused),
        },
        check_results=[to_result(verdict, check=name) for name, verdict in verdicts.items()],
    )


@dg.schedule(
    name="reconciliation_hourly",
    target=hours,
    # A quarter past: ten minutes of lateness, and a little more. Also when nothing arrived.
    cron_schedule="15 * * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Compares each hour a quarter of an hour after it has closed.",
)
def hourly(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    name = name_hour(newest_closed(context.scheduled_execution_time))
    context.instance.add_dynamic_partitions(str(HOURS.name), [name])
    return dg.RunRequest(run_key=name, partition_key=name)
