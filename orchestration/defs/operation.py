"""The job ``operate_stream``: a person starts or stops the job on Flink.

It materializes nothing: what runs is what was deployed last, whatever is in force by now.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any

import dagster as dg
from pydantic import Field

from orchestration.defs.repair import judge_job, tell_start
from orchestration.failures import PATIENCE, translate_failures
from orchestration.keys import JOB
from orchestration.resources import Stream
from orchestration.watching.looking import Lookout


class JobAction(Enum):
    """What to do with the job."""

    START = "start"
    STOP = "stop"


class StreamOperation(dg.Config):
    """Start or stop."""

    action: JobAction = Field(
        default=JobAction.START,
        description="A stop keeps the state in a savepoint and lasts until somebody starts the "
        "job; transactions wait in Kafka meanwhile. A start goes on from there; a job that runs "
        "is left alone.",
    )


@dg.op(pool="flink_deploy", retry_policy=PATIENCE)
def operate_job(
    context: dg.OpExecutionContext,
    config: StreamOperation,
    stream: dg.ResourceParam[Stream],
    lookout: dg.ResourceParam[Lookout],
) -> None:
    """Act on the job, tell of it on its asset's page, and judge what then is."""
    with translate_failures():
        if config.action is JobAction.STOP:
            figures = _tell_stop(stream.stop(log=context.log.info))
        else:
            figures = _tell_start(stream.start(log=context.log.info))
        context.log_event(
            dg.AssetObservation(
                asset_key=JOB,
                description=f"{figures['done']}, by the job operate_stream.",
                metadata=figures,
            )
        )
        judge_job(context.instance, lookout)


@dg.job(
    description=(
        "Start or stop the job on Flink, as `fraudlake job submit` and `fraudlake job stop` do. "
        "A stopped job stays stopped: the watch does not start it. To change rules, code or "
        "settings materialize flink/fraud_detection."
    ),
    tags={"domain": "fraud", "dagster/max_runtime": "900"},
)
def operate_stream() -> None:
    """One op; it waits until the job is as wanted."""
    operate_job()


def _tell_stop(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {"done": "stopped", "state in": answer["savepoint"]}


def _tell_start(answer: Mapping[str, Any]) -> dict[str, Any]:
    if "job_id" not in answer:
        return {"done": "ran already"}
    return {"done": "started", **tell_start(answer)}
