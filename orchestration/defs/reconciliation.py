"""Reconciliation, hour by hour: what came in, was decided, stored and shown, exactly once.

An asset of its own, because a check has the partitions of its asset, and tables and index have
none: so an hour that was missed is filled in like data.
"""

from datetime import UTC, datetime

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

HOURS = dg.HourlyPartitionsDefinition(start_date="2026-01-01-00:00", timezone="UTC")
# A quarter past: ten minutes of lateness, and a little more. Also when nothing arrived.
CLOSED_HOUR = (
    dg.AutomationCondition.cron_tick_passed("15 * * * *", cron_timezone="UTC")
    & dg.AutomationCondition.in_latest_time_window()
).with_label("an hour has closed")


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
        "When a check is red: what waits for the job or the sink comes by itself, and the next "
        "comparison is green. What stays missing is lost to that system; `fraudlake reconcile` "
        "looks at everything that Kafka still holds."
    ),
    metadata={"command": "fraudlake reconcile"},
    check_specs=[
        dg.AssetCheckSpec(
            name="stored_once",
            asset=RECONCILIATION,
            description="Every transaction of the hour was decided or set aside once, and stands "
            "in the lakehouse once.",
        ),
        dg.AssetCheckSpec(
            name="alerted_once",
            asset=RECONCILIATION,
            description="Every flagged decision of the hour is in an alert, and every such alert "
            "is a document of the index, once.",
        ),
    ],
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
