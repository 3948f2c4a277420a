"""What is stored, looked over four times a day: rows, columns, scores, rules, alerts.

The checks of the tables belong to an asset of their own: Dagster shows a check as not evaluated
when its asset was materialized after it, and the watch tells of each table once a minute.
"""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg

from orchestration.check_results import to_result
from orchestration.defs.dashboards import dashboards_in_step
from orchestration.defs.lakehouse import dead_letters_table, decisions_table, labels_table
from orchestration.defs.sinks import lakehouse_sink
from orchestration.failures import PATIENCE, translate_failures
from orchestration.keys import INDEX, QUALITY
from orchestration.owners import DATA_PLATFORM
from orchestration.quality import (
    judge_alert_ids,
    judge_columns,
    judge_doubles,
    judge_flag_rate,
    judge_index,
    judge_rules_fired,
    judge_scores,
)
from orchestration.resources import AlertIndex, Tables
from orchestration.verdict import is_well

if TYPE_CHECKING:
    from sinks.lakehouse.watch.behaviour import Behaviour

LOOKED_AT = timedelta(days=2)
NO_TABLES = "there are no tables yet, and nothing in them to judge"
_JUDGES = {
    "score_drift": judge_scores,
    "rule_drift": judge_rules_fired,
    "flag_rate": judge_flag_rate,
}


@dg.asset(
    key=QUALITY,
    # The sink makes the tables: in a run of both it comes first.
    deps=[lakehouse_sink, decisions_table, labels_table, dead_letters_table],
    group_name="lakehouse",
    kinds={"iceberg", "duckdb"},
    owners=[DATA_PLATFORM],
    description=(
        "How the stream decided in the last day, beside the seven days before.\n\n"
        "Materialize it to look over what is stored, as is done four times a day: its checks say "
        "whether scores, rules and the share of flagged payments are as they were, whether a "
        "transaction stands there twice, and whether the columns are those of this release. "
        "Nothing is changed.\n\n"
        "When a check is red or yellow: its sentence says what, its page has the figures."
    ),
    metadata={
        "command": 'fraudlake sql "select band, count(*) from decisions group by band"',
        "the checks": dg.MetadataValue.path("docs/dagster.md"),
    },
    check_specs=[
        dg.AssetCheckSpec(
            name="score_drift",
            asset=QUALITY,
            description="Scores of the last day are spread as in the seven days before, under the "
            "same rule set.",
        ),
        dg.AssetCheckSpec(
            name="rule_drift",
            asset=QUALITY,
            description="Each rule fires about as often as in the seven days before.",
        ),
        dg.AssetCheckSpec(
            name="flag_rate",
            asset=QUALITY,
            description="The share of flagged decisions is one that investigators can live with.",
        ),
    ],
    retry_policy=PATIENCE,
)
def quality(
    tables: dg.ResourceParam[Tables],
) -> dg.MaterializeResult:  # type: ignore[type-arg]  # with checks Dagster knows but the bare class
    with translate_failures():
        found = tables.read_behaviour(datetime.now(UTC))
    verdicts = {
        name: is_well(NO_TABLES) if found is None else judge(found)
        for name, judge in _JUDGES.items()
    }
    return dg.MaterializeResult(
        metadata={"looked at": NO_TABLES} if found is None else _tell(found),
        check_results=[to_result(verdict, check=name) for name, verdict in verdicts.items()],
    )


def _tell(found: "Behaviour") -> dict[str, str | int | dg.MarkdownMetadataValue]:
    """The two stretches beside each other, in the words of the asset's page."""
    told: dict[str, str | int | dg.MarkdownMetadataValue] = {
        "rule set": found.ruleset or "none: nothing was decided in eight days",
        "decisions of the last day": found.recent.decisions,
        "decisions of the seven days before": found.reference.decisions,
    }
    rows = [
        f"| {name} | {found.reference.bands.get(name, 0):,} | {found.recent.bands.get(name, 0):,} |"
        for name in sorted({*found.recent.bands, *found.reference.bands})
    ]
    if rows:
        head = ["| band | seven days before | last day |", "| --- | ---: | ---: |"]
        told["bands"] = dg.MetadataValue.md("\n".join([*head, *rows]))
    return told


@dg.asset_check(
    asset=QUALITY,
    name="no_duplicate_rows",
    retry_policy=PATIENCE,
    description="No transaction stored within two days stands in the table twice, its other row "
    "however old.",
)
def no_duplicate_rows(tables: dg.ResourceParam[Tables]) -> dg.AssetCheckResult:
    with translate_failures():
        found = tables.find_doubles(datetime.now(UTC) - LOOKED_AT)
    return to_result(is_well(NO_TABLES) if found is None else judge_doubles(found))


@dg.asset_check(
    asset=QUALITY,
    name="schema_unchanged",
    retry_policy=PATIENCE,
    description="All tables have the columns and types that this release writes.",
)
def schema_unchanged(tables: dg.ResourceParam[Tables]) -> dg.AssetCheckResult:
    with translate_failures():
        found = tables.find_differences()
    return to_result(judge_columns(found))


@dg.asset_check(
    asset=INDEX,
    name="one_alert_per_id",
    retry_policy=PATIENCE,
    description="Each alert has one document, also across the months' indices.",
)
def one_alert_per_id(alert_index: dg.ResourceParam[AlertIndex]) -> dg.AssetCheckResult:
    with translate_failures():
        found = alert_index.count_ids()
    return to_result(judge_alert_ids(found))


@dg.asset_check(
    asset=INDEX,
    name="in_step",
    retry_policy=PATIENCE,
    description="Template, alias and every month's mapping and settings are those of this release.",
)
def index_in_step(alert_index: dg.ResourceParam[AlertIndex]) -> dg.AssetCheckResult:
    with translate_failures():
        found = alert_index.find_differences()
    return to_result(judge_index(found))


quality_checks = dg.ScheduleDefinition(
    name="quality_checks",
    target=dg.AssetSelection.assets(quality)
    | dg.AssetSelection.checks(
        no_duplicate_rows, schema_unchanged, one_alert_per_id, index_in_step, dashboards_in_step
    ),
    cron_schedule="35 */6 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Checks of what is stored, four times a day.",
)
