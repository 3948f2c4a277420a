"""The sensor ``first_look``: puts in place what never was, so that a new graph turns green.

What a person has decided stands: a job or sink that was stopped stays stopped, a job that runs goes
on as it is, whatever rules, code and settings say by now.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import dagster as dg

from orchestration.keys import ALERTS_SINK, JOB, LAKEHOUSE_SINK, RULES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GROUPS = ("ingest", "stream", "alerts", "lakehouse")
ATTEMPTS = 3
"""For the same assets; then a person has to see why they do not come to be."""
TAG = "fraudlake/first_look"
CAREFUL: Mapping[dg.AssetKey, Mapping[str, bool]] = {
    JOB: {"only_if_never_deployed": True},
    RULES: {"only_if_never_published": True},
    LAKEHOUSE_SINK: {"unless_stopped": True},
    ALERTS_SINK: {"unless_stopped": True},
}
"""The configuration of those that would change what is in place."""


@dg.sensor(
    name="first_look",
    asset_selection=dg.AssetSelection.groups(*GROUPS),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description=(
        "Materializes what was never materialized, in one run: on a new instance everything, after "
        "an upgrade what the release has brought. What is in place is left alone: a job that runs, "
        "and a job or sink that was stopped. What has a schedule is left to it."
    ),
)
def first_look(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    missing = _find_missing(context)
    if not missing:
        return dg.SkipReason("everything has been put in place before")
    if _is_under_way(context.instance):
        return dg.SkipReason(f"{', '.join(missing)}: not yet, another run is under way")
    done = _read_attempts(context.cursor, missing)
    if done >= ATTEMPTS:
        return dg.SkipReason(
            f"{', '.join(missing)}: not in place after {ATTEMPTS} runs. See why in the last one; "
            "then materialize them by hand"
        )
    keys = [dg.AssetKey.from_user_string(name) for name in missing]
    request = dg.RunRequest(
        run_key=None,  # the cursor counts
        asset_selection=keys,
        run_config={
            "ops": {
                key.to_python_identifier(): {"config": dict(CAREFUL[key])}
                for key in keys
                if key in CAREFUL
            }
        },
        tags={TAG: str(done + 1)},
    )
    return dg.SensorResult(
        run_requests=[request], cursor=_write_attempts(missing, attempts=done + 1)
    )


def _find_missing(context: dg.SensorEvaluationContext) -> list[str]:
    """The names of the assets that no run has ever materialized, in order."""
    repository = context.repository_def
    assert repository is not None
    scheduled = _find_scheduled(repository)
    nodes = [
        node
        for node in repository.asset_graph.asset_nodes
        if node.is_materializable
        and not node.is_partitioned
        and node.group_name in GROUPS
        and node.key not in scheduled
    ]
    records = context.instance.get_asset_records([node.key for node in nodes])
    known = {
        record.asset_entry.asset_key
        for record in records
        if record.asset_entry.last_materialization is not None
    }
    return sorted(node.key.to_user_string() for node in nodes if node.key not in known)


def _find_scheduled(repository: dg.RepositoryDefinition) -> set[dg.AssetKey]:
    """What is materialized by the clock; an upkeep in the first second would delete for nobody."""
    jobs = [repository.get_job(schedule.job_name) for schedule in repository.schedule_defs]
    return {key for job in jobs for key in job.asset_layer.selected_asset_keys}


def _is_under_way(instance: dg.DagsterInstance) -> bool:
    unfinished = [
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
    ]
    # Of any kind: whoever materializes by hand is not overtaken.
    return len(instance.get_run_ids(dg.RunsFilter(statuses=unfinished), limit=1)) > 0


def _read_attempts(cursor: str | None, missing: Sequence[str]) -> int:
    """How often these very assets have been tried."""
    tried: Mapping[str, object] = {} if cursor is None else json.loads(cursor)
    attempts = tried.get("attempts", 0) if tried.get("missing") == list(missing) else 0
    assert isinstance(attempts, int)
    return attempts


def _write_attempts(missing: Sequence[str], *, attempts: int) -> str:
    return json.dumps({"version": 1, "missing": list(missing), "attempts": attempts})
