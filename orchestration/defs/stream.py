"""Group ``stream``: the Flink job, and the topics it writes."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
from pydantic import Field

from orchestration.code_version import job_code_version
from orchestration.defs.ingest import customers, transactions
from orchestration.failures import PATIENCE, translate_failures
from orchestration.keys import JOB, RULES
from orchestration.owners import DATA_PLATFORM
from orchestration.resources import FoundJob, Stream
from orchestration.topic_assets import build_topic_asset
from pipelines.features import Stage

CODE_VERSION_TAG = "dagster/code_version"
"""Dagster's own, by which it tells what is behind its code."""
CODE_VERSION = job_code_version()


class Deployment(dg.Config):
    """What is to be done about the job."""

    only_if_never_deployed: bool = Field(
        default=False,
        description="Only tell of a job that runs, was stopped or has ended; deploy where there "
        "never was one. What the sensor first_look asks for.",
    )


@dg.asset(
    key=JOB,
    deps=[transactions, customers, RULES],
    group_name="stream",
    kinds={"flink", "python"},
    owners=[DATA_PLATFORM],
    code_version=CODE_VERSION,
    description=(
        "The job that decides on every transaction, exactly once.\n\n"
        "Materialize it to make the job what the rules in force (`rules/active`), code and "
        "settings say, as `fraudlake job deploy` does: where nothing has changed nothing is done, "
        "a missing job is submitted and goes on from its newest state, a changed one takes the "
        "place of the old one on the state that it has. What cannot run is refused while the old "
        "job runs on; what does not come to its first checkpoint is taken back. The stream then "
        "runs by itself; no run of Dagster stays open for it.\n\n"
        "When it is red: the run's log ends with the reason; `fraudlake job status` and Flink's "
        "own page (in the metadata) say more."
    ),
    metadata={
        "command": "fraudlake job deploy",
        "how the job works": dg.MetadataValue.path("docs/job.md"),
    },
    pool="flink_deploy",
    retry_policy=PATIENCE,
)
def fraud_detection(
    context: dg.AssetExecutionContext, config: Deployment, stream: dg.ResourceParam[Stream]
) -> dg.MaterializeResult[None]:
    with translate_failures():
        found = stream.find() if config.only_if_never_deployed else None
        if found is not None:
            return dg.MaterializeResult(
                metadata=_tell(found, page=stream.page_of(found.job_id)),
                # Of the job, not of what looked at it: so Dagster shows one that is behind as such.
                tags={CODE_VERSION_TAG: found.code or "unknown"},
            )
        answer = stream.deploy(log=context.log.info)
        report = _report(answer, page=stream.page_of(str(answer["job_id"])))
        report["plan"] = dg.MetadataValue.md(_describe_plan(stream.stages()))
    switch = answer["switch"] or {}
    if switch.get("lost") or switch.get("doubled"):
        raise dg.Failure(
            description=f"the new job runs, but the change lost {switch['lost']} and doubled "
            f"{switch['doubled']} records. `fraudlake reconcile` names them",
            metadata=report,
            allow_retries=False,
        )
    if switch.get("is_stuck"):
        raise dg.Failure(
            description="transactions wait, and the new job has taken none of them. See what it "
            "says of itself with `fraudlake job status`",
            metadata=report,
            allow_retries=False,
        )
    return dg.MaterializeResult(metadata=report)


def _tell(found: FoundJob, *, page: str) -> dict[str, Any]:
    """What a job that was there already is like, in the words of the asset's page."""
    remedies = {
        "runs": "found in place, and left as it is",
        "is stopped": "found stopped, and left so: `fraudlake job submit` starts it",
        "has ended": "found ended, and left so: the watch starts it again",
    }
    return {
        "deployed": remedies[found.state],
        "job id": found.job_id,
        "rule set": found.ruleset or "not known: it was not deployed from here",
        "code": _tell_code(found.code),
        "page": dg.MetadataValue.url(page),
    }


def _tell_code(code: str) -> str:
    if code == CODE_VERSION:
        return f"that of this release ({code})"
    what = f"of another release ({code})" if code else "not known"
    return f"{what}; this one's is {CODE_VERSION}: materialize it once more to have that deployed"


def _describe_plan(stages: Sequence[Stage]) -> str:
    """What the job computes, stage by stage, as Markdown."""
    rows = [
        f"| {stage.entity} | {', '.join(feature.name for feature in stage.features)} |"
        for stage in stages
    ]
    return "\n".join(["| stage | computes |", "| --- | --- |", *rows])


def _report(answer: Mapping[str, Any], *, page: str) -> dict[str, Any]:
    """What a deployment has done, in the words of the asset's page."""
    figures: dict[str, Any] = {
        "deployed": answer["outcome"],
        "job id": answer["job_id"],
        "rule set": answer["ruleset"],
        "build": answer["build"],
        "page": dg.MetadataValue.url(page),
    }
    if answer["outcome"] != "unchanged":
        figures["started from"] = answer["savepoint"] or "empty profiles"
    if answer["switch"] is not None:
        switch = answer["switch"]
        figures |= {"lost": switch["lost"], "doubled": switch["doubled"]}
        figures["records around the change"] = switch["records"]
        figures["takes transactions"] = not switch["is_stuck"]
        # None without two decisions to measure it between.
        figures |= {} if switch["gap_s"] is None else {"gap, seconds": switch["gap_s"]}
    return figures


decisions = build_topic_asset("decisions", group="stream", deps=[JOB])
alerts = build_topic_asset("alerts", group="stream", deps=[JOB])
dead_letters = build_topic_asset("dead_letters", group="stream", deps=[JOB])
