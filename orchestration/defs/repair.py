"""The job ``repair_stream``: what the watch asks for when the job on Flink has ended.

It materializes nothing. What comes back is what was deployed last, so where rules, code or settings
have moved on since, the asset stays marked as behind.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from orchestration.check_results import to_evaluation
from orchestration.failures import PATIENCE, translate_failures
from orchestration.keys import JOB
from orchestration.resources import Stream
from orchestration.watching.checks import LOOK_CHECKS
from orchestration.watching.looking import Lookout


@dg.op(pool="flink_deploy", retry_policy=PATIENCE)
def restore(
    context: dg.OpExecutionContext,
    stream: dg.ResourceParam[Stream],
    lookout: dg.ResourceParam[Lookout],
) -> None:
    """Start the job as it was, tell of it on its asset's page, and judge what then runs."""
    with translate_failures():
        figures = _restore(stream, log=context.log.info)
        context.log_event(
            dg.AssetObservation(
                asset_key=JOB,
                description=f"{figures['repair']}, by the job repair_stream.",
                metadata=figures,
            )
        )
        judge_job(context.instance, lookout)


def judge_job(instance: dg.DagsterInstance, lookout: Lookout) -> None:
    """Report the job's checks at once: the watch's next look is a minute away."""
    glance = lookout.look(datetime.now(UTC))
    for check in LOOK_CHECKS:
        if check.asset == JOB:
            found = to_evaluation(check.judge(glance), asset=JOB, check=check.name)
            instance.report_runless_asset_event(found)


@dg.job(
    description=(
        "Start a job that has ended again, as it was deployed last, from its newest state, as "
        "`fraudlake job restore` does; one that runs, or that a person stopped, is left as it is. "
        "The sensor stream_watch asks for it. Newer rules, code and settings wait for a "
        "materialization of flink/fraud_detection."
    ),
    # A run whose process died unseen must not hold the pool, and with it the next repair.
    tags={"domain": "fraud", "dagster/max_runtime": "900"},
)
def repair_stream() -> None:
    """One op; it waits until all tasks of the job run."""
    restore()


def _restore(stream: Stream, *, log: Callable[[str], object]) -> dict[str, Any]:
    answer = stream.restore(log=log)
    if "job_id" not in answer:
        return {"repair": "ran already"}
    return {"repair": "restored", **tell_start(answer)}


def tell_start(answer: Mapping[str, Any]) -> dict[str, Any]:
    """A job that was started, in the words of its asset's page."""
    return {
        "job id": answer["job_id"],
        "rule set": answer["ruleset"],
        "started from": answer["savepoint"] or "empty profiles",
        "page": dg.MetadataValue.url(answer["url"]),
    }
