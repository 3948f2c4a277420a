"""The sensor ``hours_again``: compares hours that were missed, or were not whole, once more."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import dagster as dg

from orchestration.defs.reconciliation import HOURS, hours
from orchestration.hours_due import (
    Compared,
    begin_of_hours,
    choose_hours,
    name_hour,
    read_hour,
)
from orchestration.keys import RECONCILIATION

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

TAG = "fraudlake/hours_again"
_UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
_MOST_EVALUATIONS = 2_000
"""Of each check: seven days of hours, each compared some ten times."""


@dg.sensor(
    name="hours_again",
    target=dg.AssetSelection.assets(RECONCILIATION),
    minimum_interval_seconds=900,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Compares hours again that were missed or were not whole, as long as Kafka holds them: "
        "each when twice the time has passed since its end, a few at a time."
    ),
    tags={"domain": "fraud"},
)
def hours_again(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
    if _is_under_way(context.instance):
        return dg.SkipReason("hours are being compared at this moment")
    now = datetime.now(UTC)
    names = context.instance.get_materialized_partitions(RECONCILIATION)
    known = {read_hour(name) for name in names}
    due = choose_hours(known, _read_outcomes(context.instance), now=now)
    failed = _find_failed(context.instance)
    if failed is not None:
        # A server may be away still: one run finds out, not one for each hour. And where it is the
        # hour itself that fails each time, the others are whole meanwhile.
        due = ([begin for begin in due if name_hour(begin) != failed] or due)[-1:]
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(
                run_key=None,  # the instance remembers what was compared
                partition_key=name_hour(begin),
                asset_selection=[RECONCILIATION],
                tags={TAG: "true"},
            )
            for begin in due
        ],
        skip_reason=None if due else "no hour was missed, and none is due again",
        dynamic_partitions_requests=_offer(context.instance, known | set(due), now=now),
    )


def _offer(
    instance: dg.DagsterInstance, wanted: Set[datetime], *, now: datetime
) -> list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest]:
    """Show these and no old ones; also those of a release that had all hours by the clock."""
    shown = set(instance.get_dynamic_partitions(str(HOURS.name)))
    first = name_hour(begin_of_hours(now))  # names are in the order of time
    new = sorted({name_hour(hour) for hour in wanted} - shown)
    old = sorted(name for name in shown if name < first)
    requests: list[dg.AddDynamicPartitionsRequest | dg.DeleteDynamicPartitionsRequest] = []
    if offered := [name for name in new if name >= first]:
        requests.append(HOURS.build_add_request(offered))
    if old:
        requests.append(HOURS.build_delete_request(old))
    return requests


def _is_under_way(instance: dg.DagsterInstance) -> bool:
    unfinished = dg.RunsFilter(statuses=_UNFINISHED, tags={TAG: "true"})
    return len(instance.get_run_ids(unfinished, limit=1)) > 0


def _find_failed(instance: dg.DagsterInstance) -> str | None:
    """The hour that the newest run which was asked for here could not compare, if it could not."""
    for run in instance.get_runs(dg.RunsFilter(tags={TAG: "true"}), limit=1):
        if run.status is dg.DagsterRunStatus.FAILURE:
            return run.tags.get("dagster/partition", "")
    return None


def _read_outcomes(instance: dg.DagsterInstance) -> Mapping[datetime, Compared]:
    """The newest comparison of each hour of which every check is known."""
    found = [_read_newest(instance, key) for key in hours.check_keys]
    return {
        begin: Compared(
            at=max(newest[begin].at for newest in found),
            is_whole=all(newest[begin].is_whole for newest in found),
        )
        for begin in set.intersection(*(set(newest) for newest in found))
    }


def _read_newest(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> dict[datetime, Compared]:
    newest: dict[datetime, Compared] = {}
    records = instance.event_log_storage.get_asset_check_execution_history(
        key, limit=_MOST_EVALUATIONS
    )
    for record in records:
        event = None if record.event is None else record.event.dagster_event
        # Without a partition it is from a release that had none, and says nothing of an hour.
        if record.event is None or event is None or record.partition is None:
            continue
        if event.event_type is dg.DagsterEventType.ASSET_CHECK_EVALUATION:
            at = datetime.fromtimestamp(record.event.timestamp, UTC)
            is_whole = event.asset_check_evaluation_data.passed
            newest.setdefault(read_hour(record.partition), Compared(at=at, is_whole=is_whole))
    return newest
