"""Group ``lakehouse``: the table of the rule sets, so that decisions can be joined with them."""

import dagster as dg

from orchestration.failures import PATIENCE, translate_failures
from orchestration.keys import RULES, RULESETS_TABLE
from orchestration.owners import FRAUD_RULES
from orchestration.resources import RuleDesk
from orchestration.table_columns import describe_columns
from sinks.lakehouse.tables import RULESETS


@dg.asset(
    key=RULESETS_TABLE,
    deps=[RULES],
    group_name="lakehouse",
    kinds={"iceberg", "parquet"},
    owners=[FRAUD_RULES],
    description=(
        "Every rule set that came into use here, each version in one row: its file, its rules, "
        "since when.\n\n"
        "Materialize it to record what was published or deployed and is not in the table yet. "
        "`fraudlake job deploy`, and so `flink/fraud_detection`, does so by itself. Where nothing "
        "is missing, nothing is written; nothing is recorded twice, whoever does so meanwhile.\n\n"
        "When it is red: the run's log ends with the reason. What is published is in force all the "
        "same, and the next run records it."
    ),
    metadata={
        "command": "fraudlake rules record",
        "dagster/table_name": "fraud.rulesets",
        "dagster/column_schema": describe_columns(RULESETS),
        "query": dg.MetadataValue.md("```\nfraudlake sql --run ruleset_history\n```"),
    },
    retry_policy=PATIENCE,
)
def rulesets_table(rule_desk: dg.ResourceParam[RuleDesk]) -> dg.MaterializeResult[None]:
    with translate_failures():
        done = rule_desk.record()
    return dg.MaterializeResult(
        metadata={
            "versions added": len(done.added),
            "added": ", ".join(done.added) or "none",
            "versions kept here": done.kept,
            "dagster/row_count": done.rows,
        }
    )
