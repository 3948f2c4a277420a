"""A sink as an asset: materialized means that it runs and has all it needs."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from orchestration.failures import PATIENCE, translate_failures
from orchestration.keys import table_key
from orchestration.owners import DATA_PLATFORM
from orchestration.resources import Sinks


class Start(dg.Config):
    """When the sink is to be started."""

    unless_stopped: bool = Field(
        default=False,
        description="Leave one alone that `fraudlake sink stop` has stopped. What the sensor "
        "first_look asks for.",
    )


def build_sink_asset(
    name: str,
    *,
    group: str,
    about: str,
    deps: Sequence[dg.AssetsDefinition],
    fills_tables: bool = False,
) -> dg.AssetsDefinition:
    """The asset of the sink that the command line calls ``name``.

    With ``fills_tables`` it tells of tables of which nobody has told yet: the sink makes them when
    it starts, and an external asset is grey until somebody has. Of what is stored later the watch
    tells: a look at the sink is no commit, and makes no table fresh.
    """

    @dg.asset(
        key=dg.AssetKey(["sinks", name]),
        deps=list(deps),
        group_name=group,
        kinds={"python"},
        owners=[DATA_PLATFORM],
        description=(
            f"{about}\n\n"
            "A process that its supervisor keeps running; no run of Dagster stays open for it. "
            "Materialize it to start the sink if it was stopped, and to wait until it has all it "
            "needs. To stop it or to start it anew: the job `operate_sinks`.\n\n"
            "Where the sinks are run elsewhere, as containers are, nothing is started: whatever "
            "runs them restarts them.\n\n"
            f"When it is red: the run's log says why; `fraudlake logs {name}-sink` says more."
        ),
        metadata={"command": f"fraudlake sink start {name}"},
        retry_policy=PATIENCE,
    )
    def sink_runs(
        context: dg.AssetExecutionContext, config: Start, sinks: dg.ResourceParam[Sinks]
    ) -> dg.MaterializeResult[None]:
        with translate_failures():
            if sinks.run_elsewhere():
                metadata = _tell_elsewhere(name)
            else:
                sparing = ("--unless-stopped",) if config.unless_stopped else ()
                (report,) = sinks.act("start", name, *sparing, log=context.log.info)
                metadata = tell_report(report)
            rows = sinks.count_rows(log=context.log.info) if fills_tables else {}
        for table, count in rows.items():
            if context.instance.get_latest_materialization_event(table_key(table)) is None:
                _tell_table(context, table, count)
        return dg.MaterializeResult(metadata=metadata)

    return sink_runs


def tell_report(report: Mapping[str, Any]) -> dict[str, Any]:
    """What was done to a sink, in the words of the asset's page."""
    figures = {"done": report["outcome"], "log": dg.MetadataValue.path(report["log"])}
    if report["pid"] is not None:
        figures |= {"process": report["pid"], "up for, seconds": report["uptime_seconds"]}
    return figures


def _tell_table(context: dg.AssetExecutionContext, table: str, rows: int) -> None:
    context.log_event(
        dg.AssetMaterialization(
            asset_key=table_key(table),
            description="In place, as seen when its sink was first looked after.",
            metadata={"dagster/row_count": rows},
        )
    )


def _tell_elsewhere(name: str) -> dict[str, Any]:
    return {
        "done": "nothing: the sink is run elsewhere, and was not looked at",
        "run by": dg.MetadataValue.md(
            f"its own container, or whatever runs it. `docker compose ps {name}-sink` shows it, "
            f"`docker compose restart {name}-sink` starts it anew"
        ),
    }
