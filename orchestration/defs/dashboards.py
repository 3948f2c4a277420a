"""Group ``alerts``: Kibana's dashboards and alerting rules, as the code says they are."""

import dagster as dg
from pydantic import Field

from orchestration.check_results import to_result
from orchestration.defs.alerts import fraud_alerts
from orchestration.failures import PATIENCE, translate_failures
from orchestration.keys import DASHBOARDS
from orchestration.owners import INVESTIGATION
from orchestration.quality import judge_dashboards
from orchestration.resources import Dashboards


class Publishing(dg.Config):
    """Which of them to publish."""

    only_missing: bool = Field(
        default=False,
        description="Leave alone what is there already, whoever has changed it. What the sensor "
        "first_look asks for.",
    )


@dg.asset(
    key=DASHBOARDS,
    deps=[fraud_alerts],
    group_name="alerts",
    kinds={"elasticsearch", "dashboard"},
    owners=[INVESTIGATION],
    description=(
        "The dashboards queue, card, rules and operations in Kibana, and the rules that call "
        "somebody.\n\n"
        "Materialize it to put them in place; what is there already stays, and so does whom a rule "
        "calls. Where no Kibana is named, nothing is published, and the page says so.\n\n"
        "When it is red: the run's log says what Kibana refused."
    ),
    metadata={
        "command": "fraudlake dashboards apply",
        "what they show": dg.MetadataValue.path("docs/dashboards.md"),
    },
    retry_policy=PATIENCE,
)
def fraud_dashboards(
    config: Publishing, dashboards: dg.ResourceParam[Dashboards]
) -> dg.MaterializeResult[None]:
    with translate_failures():
        url = dashboards.url()
        done = [] if url == "" else dashboards.apply(only_missing=config.only_missing)
    if url == "":
        return dg.MaterializeResult(
            metadata={
                "published": "nowhere: no Kibana is named (FRAUDLAKE_KIBANA_URL). The same "
                "numbers in a terminal: `fraudlake dashboards show`"
            }
        )
    rows = [f"| {one.artifact.kind} | {one.artifact.title} | {one.change} |" for one in done]
    return dg.MaterializeResult(
        metadata={
            "kibana": dg.MetadataValue.url(url),
            "published": dg.MetadataValue.md(
                "\n".join(["| | | |", "| --- | --- | --- |", *rows]),
            ),
            "changed": sum(one.change != "unchanged" for one in done),
        }
    )


@dg.asset_check(
    asset=DASHBOARDS,
    name="in_step",
    retry_policy=PATIENCE,
    description="Kibana has the dashboards and alerting rules of this release.",
)
def dashboards_in_step(dashboards: dg.ResourceParam[Dashboards]) -> dg.AssetCheckResult:
    with translate_failures():
        found = dashboards.compare()
    return to_result(judge_dashboards(found))
