"""Group ``alerts``: old months of alerts go, whole."""

from datetime import UTC, datetime

import dagster as dg

from orchestration.defs.alerts import fraud_alerts
from orchestration.failures import PATIENCE, translate_failures
from orchestration.owners import INVESTIGATION
from orchestration.resources import AlertIndex


@dg.asset(
    key=dg.AssetKey(["elasticsearch", "retention"]),
    deps=[fraud_alerts],
    group_name="alerts",
    kinds={"elasticsearch", "python"},
    owners=[INVESTIGATION],
    description=(
        "Months of alerts that are older than elasticsearch.keep_months are deleted.\n\n"
        "A month stays whole while one of its cases is not closed, or a verdict's labels are not "
        "sent; so does the newest one.\n\n"
        "When it is red: the run's log ends with the reason; nothing that must stay is lost."
    ),
    metadata={
        "command": "fraudlake alerts expire",
        "how months are kept": dg.MetadataValue.path("docs/alerts.md"),
    },
    pool="alert_indices",
    retry_policy=PATIENCE,
)
def retention(
    context: dg.AssetExecutionContext, alert_index: dg.ResourceParam[AlertIndex]
) -> dg.MaterializeResult[None]:
    with translate_failures():
        done = alert_index.expire(datetime.now(UTC).date(), log=context.log.info)
    rows = [
        f"| {one.figures.month:%Y-%m} | {one.figures.documents:,} | {one.figures.unfinished:,} "
        f"| {'deleted' if one.figures.name in done.deleted else one.fate.value} |"
        for one in done.before
    ]
    head = ["| month | alerts | unfinished | |", "| --- | ---: | ---: | --- |"]
    return dg.MaterializeResult(
        metadata={
            "months": dg.MetadataValue.md("\n".join([*head, *rows])),
            "months deleted": len(done.deleted),
            "months kept": len(done.after),
        }
    )


retention_daily = dg.ScheduleDefinition(
    name="retention_daily",
    target=retention,
    cron_schedule="30 4 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Each night; mostly there is nothing to delete.",
)
