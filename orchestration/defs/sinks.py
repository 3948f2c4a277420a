"""The two sinks, between the topics that they read and what they fill; and the job on them."""

from enum import Enum

import dagster as dg
from pydantic import Field

from orchestration.defs.ingest import labels
from orchestration.defs.stream import alerts, dead_letters, decisions
from orchestration.failures import translate_failures
from orchestration.resources import Sinks
from orchestration.sink_assets import build_sink_asset, tell_report

lakehouse_sink = build_sink_asset(
    "lakehouse",
    group="lakehouse",
    about="Stores every decision, label and dead letter in its Iceberg table, each in exactly one "
    "row.",
    deps=[decisions, labels, dead_letters],
    fills_tables=True,
)
alerts_sink = build_sink_asset(
    "alerts",
    group="alerts",
    about="Keeps one document for each alert in Elasticsearch; what investigators write there "
    "stays.",
    deps=[alerts],
)


class Which(Enum):
    """The sinks to act on."""

    BOTH = "both"
    LAKEHOUSE = "lakehouse"
    ALERTS = "alerts"


class Action(Enum):
    """What to do with them."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"


class SinkOperation(dg.Config):
    """Which sink, and what to do with it."""

    action: Action = Field(
        default=Action.RESTART,
        description="A stop waits for the last commit, and lasts until somebody starts it.",
    )
    sink: Which = Field(default=Which.BOTH, description="One of them, or both.")


@dg.op
def operate(
    context: dg.OpExecutionContext, config: SinkOperation, sinks: dg.ResourceParam[Sinks]
) -> None:
    """Act on the sinks; what was done to each stands on its asset's page."""
    named = () if config.sink is Which.BOTH else (config.sink.value,)
    with translate_failures():
        reports = sinks.act(config.action.value, *named, log=context.log.info)
    for report in reports:
        name = str(report["part"]).removesuffix("-sink")
        context.log_event(
            dg.AssetObservation(
                asset_key=dg.AssetKey(["sinks", name]),
                description=f"{report['outcome']}, by the job operate_sinks.",
                metadata=tell_report(report),
            )
        )


@dg.job(
    description=(
        "Start, stop or restart the sinks of `fraudlake up`, as `fraudlake sink start | stop | "
        "restart` does. Nothing is lost: they go on where they ended. Sinks in containers are not "
        "reached from here; the run then says how to reach them."
    ),
    tags={"domain": "fraud"},
)
def operate_sinks() -> None:
    """One op; it waits until the sinks are as wanted."""
    operate()
