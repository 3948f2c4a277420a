"""Group ``stream``: the Flink job, and the topics it writes."""

import time

import dagster as dg
from pydantic import Field

from orchestration.defs.ingest import customers, transactions
from orchestration.failures import PATIENCE, translate_failures
from orchestration.owners import DATA_PLATFORM
from orchestration.resources import Stream
from orchestration.topic_assets import build_topic_asset

JOB = dg.AssetKey(["flink", "fraud_detection"])


class Deployment(dg.Config):
    """How the job is to be deployed."""

    ruleset: str = Field(
        default="",
        description="A shipped rule set by name, or the path of a file; empty: the setting's.",
    )
    replace: bool = Field(
        default=False,
        description="Stop a running job with a savepoint and submit it again, with the rule set "
        "and code of now. Without it, a running job is left alone and reported.",
    )


@dg.asset(
    key=JOB,
    deps=[transactions, customers],
    group_name="stream",
    kinds={"flink", "python"},
    owners=[DATA_PLATFORM],
    description=(
        "The job that decides on every transaction, exactly once.\n\n"
        "Materialize it to see that it runs: a running job is left alone, a missing one is "
        "submitted and goes on from its newest state. To change rules or code, launch it with "
        "`replace: true`: the job is stopped with a savepoint and goes on from there. "
        "The stream then runs by itself; no run of Dagster stays open for it.\n\n"
        "When it is red: the run's log ends with the reason; `fraudlake job status` and Flink's "
        "own page (in the metadata) say more."
    ),
    metadata={"command": "fraudlake job submit"},
    pool="flink_deploy",
    retry_policy=PATIENCE,
)
def fraud_detection(
    context: dg.AssetExecutionContext, config: Deployment, stream: dg.ResourceParam[Stream]
) -> dg.MaterializeResult[None]:
    with translate_failures():
        running = stream.running()
        if running is not None and not config.replace:
            context.log.info("job %s is %s already", running.job_id, running.state)
            return _report(
                stream,
                job_id=running.job_id,
                state=running.state,
                ruleset=stream.ruleset_of(running),
                savepoint=None,
                deployed="left as it was",
            )
        begun = time.monotonic()
        if running is not None:
            stream.stop(log=context.log.info)
        answer = stream.submit(config.ruleset, log=context.log.info)
        seconds = time.monotonic() - begun
        return _report(
            stream,
            job_id=str(answer["job_id"]),
            state=str(answer["state"]),
            ruleset=str(answer["ruleset"]),
            savepoint=answer["savepoint"],
            deployed=f"{'submitted' if running is None else 'replaced'} in {seconds:.1f} s",
        )


def _report(
    stream: Stream, *, job_id: str, state: str, ruleset: str, savepoint: str | None, deployed: str
) -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(
        metadata={
            "job id": job_id,
            "state": state,
            "rule set": ruleset,
            "deployed": deployed,
            "started from": "its own state" if savepoint is None else savepoint,
            "page": dg.MetadataValue.url(stream.page_of(job_id)),
        }
    )


decisions = build_topic_asset("decisions", group="stream", deps=[JOB])
alerts = build_topic_asset("alerts", group="stream", deps=[JOB])
dead_letters = build_topic_asset("dead_letters", group="stream", deps=[JOB])
