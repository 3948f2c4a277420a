"""Group ``alerts``: old months of alerts go, whole."""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from orchestration.defs.alerts import fraud_alerts
from orchestration.failures import PATIENCE, translate_failures
from orchestration.keys import RETENTION
from orchestration.only_look import Looking
from orchestration.owners import INVESTIGATION
from orchestration.resources import AlertIndex

if TYPE_CHECKING:
    from sinks.alerts.retention import Judged  # with its client it takes half a second


@dg.asset(
    key=RETENTION,
    deps=[fraud_alerts],
    group_name="alerts",
    kinds={"elasticsearch", "python"},
    owners=[INVESTIGATION],
    description=(
        "Months of alerts that are older than elasticsearch.keep_months are deleted.\n\n"
        "A month stays whole while one of its cases is not closed, or a verdict's labels are not "
        "sent; so does the newest one, and one that somebody has closed.\n\n"
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
    context: dg.AssetExecutionContext, config: Looking, alert_index: dg.ResourceParam[AlertIndex]
) -> dg.MaterializeResult[None]:
    today = datetime.now(UTC).date()
    with translate_failures():
        if config.only_look:
            months = alert_index.judge_months(today)
            return dg.MaterializeResult(
                metadata={
                    "done": "nothing, this was a look. Months that have expired are deleted each "
                    "night at 04:30 (UTC), or when it is materialized",
                    "months": dg.MetadataValue.md(_list(months, deleted=())),
                }
            )
        done = alert_index.expire(today, log=context.log.info)
    return dg.MaterializeResult(
        metadata={
            "months": dg.MetadataValue.md(_list(done.before, deleted=done.deleted)),
            "months deleted": len(done.deleted),
            "months kept": len(done.after),
        }
    )


def _list(months: "Sequence[Judged]", *, deleted: Collection[str]) -> str:
    """Each month and its fate, as Markdown."""
    if not months:
        return "there are no alerts yet"
    rows = [
        f"| {one.figures.month:%Y-%m} | {_counts(one)} "
        f"| {'deleted' if one.figures.name in deleted else one.fate.value} |"
        for one in months
    ]
    head = ["| month | alerts | unfinished | |", "| --- | ---: | ---: | --- |"]
    return "\n".join([*head, *rows])


def _counts(month: "Judged") -> str:
    """Alerts, and unfinished ones; of a closed month nobody knows."""
    figures = month.figures
    return "? | ?" if figures.is_closed else f"{figures.documents:,} | {figures.unfinished:,}"


retention_daily = dg.ScheduleDefinition(
    name="retention_daily",
    target=retention,
    cron_schedule="30 4 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Each night; mostly there is nothing to delete.",
)
