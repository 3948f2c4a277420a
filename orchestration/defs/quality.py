"""Checks of what is stored, four times a day: rows, columns, scores, rules, alerts."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import dagster as dg

from orchestration.defs.dashboards import dashboards_in_step
from orchestration.failures import PATIENCE, translate_failures
from orchestration.keys import INDEX, table_key
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
from orchestration.verdicts import to_result

DECISIONS = table_key("decisions")
LOOKED_AT = timedelta(days=2)
NO_TABLES = "there are no tables yet, and nothing in them to judge"


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            name="score_drift",
            asset=DECISIONS,
            description="Scores of the last day are spread as in the seven days before, under the "
            "same rule set.",
        ),
        dg.AssetCheckSpec(
            name="rule_drift",
            asset=DECISIONS,
            description="Each rule fires about as often as in the seven days before.",
        ),
        dg.AssetCheckSpec(
            name="flag_rate",
            asset=DECISIONS,
            description="The share of flagged decisions is one that investigators can live with.",
        ),
    ],
    retry_policy=PATIENCE,
)
def behaviour(tables: dg.ResourceParam[Tables]) -> Iterator[dg.AssetCheckResult]:
    """Counted once for all three."""
    with translate_failures():
        found = tables.read_behaviour(datetime.now(UTC))
    judges = {
        "score_drift": judge_scores,
        "rule_drift": judge_rules_fired,
        "flag_rate": judge_flag_rate,
    }
    for name, judge in judges.items():
        verdict = is_well(NO_TABLES) if found is None else judge(found)
        yield to_result(verdict, asset=DECISIONS, check=name)


@dg.asset_check(
    asset=DECISIONS,
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
    asset=DECISIONS,
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
    target=dg.AssetSelection.checks(
        behaviour,
        no_duplicate_rows,
        schema_unchanged,
        one_alert_per_id,
        index_in_step,
        dashboards_in_step,
    ),
    cron_schedule="35 */6 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Checks of what is stored, four times a day.",
)
