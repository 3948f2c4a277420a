"""Reconciliation, hour by hour: what came in, was decided, stored and shown, exactly once.

An asset of its own, because tables and index have no partitions, and an hour that was missed is to
be filled in like data. Its checks have the same partitions, named by themselves: they do not have
them from their asset, and without them a green hour would hide the red one before it.
"""

import warnings
from datetime import UTC, datetime, timedelta

import dagster as dg

from orchestration.defs.alerts import fraud_alerts
from orchestration.defs.ingest import transactions
from orchestration.defs.lakehouse import dead_letters_table, decisions_table
from orchestration.failures import PATIENCE, translate_failures
from orchestration.keys import RECONCILIATION
from orchestration.owners import DATA_PLATFORM
from orchestration.reconciling import judge_alerted_hour, judge_stored_hour
from orchestration.resources import Audit
from orchestration.verdicts import to_result


def begin_of_hours(now: datetime) -> datetime:
    """The month before this one: Kafka holds seven days, and what was red stays to be seen longer.

    As of when the code is loaded, so that not every hour since the first release is missing.
    """
    this_month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (this_month - timedelta(days=1)).replace(day=1)


HOURS = dg.HourlyPartitionsDefinition(start_date=begin_of_hours(datetime.now(UTC)), timezone="UTC")
# A quarter past: ten minutes of lateness, and a little more. Also when nothing arrived.
CLOSED_HOUR = (
    dg.AutomationCondition.cron_tick_passed("15 * * * *", cron_timezone="UTC")
    & dg.AutomationCondition.in_latest_time_window()
).with_label("an hour has closed")

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
    automation_condition=CLOSED_HOUR,
    group_name="lakehouse",
    kinds={"kafka", "iceberg", "elasticsearch"},
    owners=[DATA_PLATFORM],
    description=(
        "One hour of transactions, counted in every system against the step before.\n\n"
        "Materialize an hour, or backfill many, to compare it: its two checks say what is missing, "
        "there twice or there without a cause, name the first twenty, and give the query that "
        "shows them. The hour that has just closed is compared a quarter of an hour later.\n\n"
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
    begin: datetime = context.partition_time_window.start.astimezone(UTC)
    with translate_failures():
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


hourly = dg.AutomationConditionSensorDefinition(
    name="hourly_reconciliation",
    target=dg.AssetSelection.assets(RECONCILIATION),
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Compares each hour a quarter of an hour after it has closed.",
)
