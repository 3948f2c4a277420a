"""The sensor ``first_look``: puts in place what never was, so that a new graph turns green."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import dagster as dg

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

GROUPS = ("ingest", "stream", "alerts", "lakehouse")
ATTEMPTS = 3
"""For the same assets; then a person has to see why they do not come to be."""
TAG = "fraudlake/first_look"


@dg.sensor(
    name="first_look",
    asset_selection=dg.AssetSelection.groups(*GROUPS),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description=(
        "Materializes what was never materialized, in one run: on a new instance everything, after "
        "an upgrade what the release has brought. Each is safe to materialize again and again: "
        "what is in place is left alone. Assets in partitions are left to their schedules."
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
    request = dg.RunRequest(
        run_key=None,  # the cursor counts
        asset_selection=[dg.AssetKey.from_user_string(name) for name in missing],
        tags={TAG: str(done + 1)},
    )
    return dg.SensorResult(
        run_requests=[request], cursor=_write_attempts(missing, attempts=done + 1)
    )


def _find_missing(context: dg.SensorEvaluationContext) -> list[str]:
    """The names of the assets that no run has ever materialized, in order."""
    assert context.repository_def is not None
    nodes = [
        node
        for node in context.repository_def.asset_graph.asset_nodes
        if node.is_materializable and not node.is_partitioned and node.group_name in GROUPS
    ]
    records = context.instance.get_asset_records([node.key for node in nodes])
    known = {
        record.asset_entry.asset_key
        for record in records
        if record.asset_entry.last_materialization is not None
    }
    return sorted(node.key.to_user_string() for node in nodes if node.key not in known)


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
