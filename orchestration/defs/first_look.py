"""The sensor ``first_look``: puts in place what never was, so that a new graph turns green.

What a person has decided stands: a job or sink that was stopped stays stopped, a job that runs goes
on as it is, whatever rules, code and settings say by now; and nothing is deleted before its
schedule comes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from orchestration.defs.reconciliation import HOURS
from orchestration.hours_due import name_hour, newest_closed
from orchestration.keys import (
    ALERTS_SINK,
    COMPACTION,
    DASHBOARDS,
    EXPIRY,
    JOB,
    LAKEHOUSE_SINK,
    RECONCILIATION,
    RETENTION,
    RULES,
    SWEEP,
)
from orchestration.never_seen import find_unjudged, find_unmaterialized

if TYPE_CHECKING:
    from collections.abc import Mapping

GROUPS = ("ingest", "stream", "alerts", "lakehouse")
ATTEMPTS = 3
"""For the same things; then a person has to see why they do not come to be."""
TAG = "fraudlake/first_look"
VERSION = 2
"""Of the cursor."""
CAREFUL: Mapping[dg.AssetKey, Mapping[str, bool]] = {
    JOB: {"only_if_never_deployed": True},
    RULES: {"only_if_never_published": True},
    LAKEHOUSE_SINK: {"unless_stopped": True},
    ALERTS_SINK: {"unless_stopped": True},
    DASHBOARDS: {"only_missing": True},
    COMPACTION: {"only_look": True},
    EXPIRY: {"only_look": True},
    SWEEP: {"only_look": True},
    RETENTION: {"only_look": True},
}
"""The configuration of those that would change what is in place."""


@dg.sensor(
    name="first_look",
    asset_selection=dg.AssetSelection.groups(*GROUPS),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description=(
        "Materializes what was never materialized, in one run: on a new instance everything, after "
        "an upgrade what the release has brought. Then it judges each check that never was, and "
        "compares the newest hour. What is in place is left alone: a job that runs, a job or sink "
        "that was stopped; and nothing is deleted before its schedule comes."
    ),
)
def first_look(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    repository = context.repository_def
    assert repository is not None
    tried = _read_tried(context.cursor)
    given_up: list[str] = []
    # What is judged in the second step was put in place by the first.
    for step, look in (("assets", _want_assets), ("judgements", _want_judgements)):
        wanted = look(repository, context.instance)
        if not wanted.missing:
            continue
        if _is_under_way(context.instance):
            return dg.SkipReason(f"{', '.join(wanted.missing)}: not yet, another run is under way")
        attempts = tried.get(step, Tried()).count(wanted.missing)
        if attempts < ATTEMPTS:
            tried[step] = Tried(missing=wanted.missing, attempts=attempts + 1)
            tags = {TAG: str(attempts + 1)}
            return dg.SensorResult(
                run_requests=[one.with_replaced_attrs(tags=tags) for one in wanted.requests],
                cursor=_write_tried(tried),
                dynamic_partitions_requests=wanted.partitions,
            )
        given_up += wanted.missing
    if given_up:
        return dg.SkipReason(
            f"{', '.join(given_up)}: not in place after {ATTEMPTS} runs. See why in the last one; "
            "then materialize them by hand"
        )
    return dg.SkipReason("everything has been put in place before")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is missing, by name, and the runs that would bring it."""

    missing: tuple[str, ...]
    requests: tuple[dg.RunRequest, ...]
    partitions: tuple[dg.AddDynamicPartitionsRequest, ...] = ()
    """That are to be there before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """How often the very same was tried."""

    missing: tuple[str, ...] = ()
    attempts: int = 0

    def count(self, missing: tuple[str, ...]) -> int:
        """The attempts for these; something else is missing: none."""
        return self.attempts if self.missing == missing else 0


def _want_assets(repository: dg.RepositoryDefinition, instance: dg.DagsterInstance) -> Wanted:
    """One run of the assets that none ever materialized, with their checks."""
    keys = find_unmaterialized(repository, instance, groups=GROUPS)
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
    )
    return Wanted(missing=tuple(key.to_user_string() for key in keys), requests=(request,))


def _want_judgements(repository: dg.RepositoryDefinition, instance: dg.DagsterInstance) -> Wanted:
    """One run of the checks that were never judged, and one of the newest hour if none was."""
    checks = find_unjudged(repository, instance)
    missing = [key.to_user_string() for key in checks]
    requests, partitions = [], []
    if checks:
        requests.append(dg.RunRequest(run_key=None, asset_selection=[], asset_check_keys=checks))
    is_known = repository.asset_graph.has(RECONCILIATION)
    if is_known and not instance.get_materialized_partitions(RECONCILIATION):
        missing.append(RECONCILIATION.to_user_string())
        hour = name_hour(newest_closed(datetime.now(UTC)))
        partitions.append(HOURS.build_add_request([hour]))
        requests.append(
            dg.RunRequest(run_key=None, partition_key=hour, asset_selection=[RECONCILIATION])
        )
    return Wanted(missing=tuple(missing), requests=tuple(requests), partitions=tuple(partitions))


def _is_under_way(instance: dg.DagsterInstance) -> bool:
    unfinished = [
        dg.DagsterRunStatus.NOT_STARTED,
        dg.DagsterRunStatus.QUEUED,
        dg.DagsterRunStatus.STARTING,
        dg.DagsterRunStatus.STARTED,
    ]
    # Of any kind: whoever materializes by hand is not overtaken.
    return len(instance.get_run_ids(dg.RunsFilter(statuses=unfinished), limit=1)) > 0


def _read_tried(cursor: str | None) -> dict[str, Tried]:
    """By step; nothing at the first tick, or after a change of layout."""
    members = {} if cursor is None else json.loads(cursor)
    if members.pop("version", None) != VERSION:
        return {}
    return {
        step: Tried(missing=tuple(one["missing"]), attempts=one["attempts"])
        for step, one in members.items()
    }


def _write_tried(tried: Mapping[str, Tried]) -> str:
    return json.dumps({"version": VERSION} | {step: asdict(one) for step, one in tried.items()})
