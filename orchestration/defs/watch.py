"""The watch: one look a minute, reported without a run; and the same checks, to be run by hand."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from orchestration.check_results import to_result
from orchestration.defs.repair import repair_stream
from orchestration.failures import translate_failures
from orchestration.watching.checks import LOOK_CHECKS
from orchestration.watching.cursor import Cursor
from orchestration.watching.looking import Lookout
from orchestration.watching.report import report
from orchestration.watching.told import read_materialized, read_told
from pipelines.errors import SettingsError

AHEAD = {"dagster/priority": "10"}
"""A repair overtakes whatever waits in the queue."""


@dg.sensor(
    job_name=repair_stream.name,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Looks once a minute at job, topics, index and tables, and reports what is new. A job that "
        "has ended without `fraudlake job stop` is started again as it was, by the job "
        "repair_stream: once more where that failed, and twice within an hour at most. Each tick "
        "says in a line what it saw."
    ),
    tags={"domain": "fraud"},
)
def stream_watch(
    context: dg.SensorEvaluationContext, lookout: dg.ResourceParam[Lookout]
) -> dg.SensorResult | dg.SkipReason:
    try:
        glance = lookout.look(datetime.now(UTC))
    except SettingsError as error:
        return dg.SkipReason(f"the settings are wrong: {error}")
    found = report(
        glance,
        Cursor.from_json(context.cursor),
        read_told(context.instance),
        read_materialized(context.instance, {check.asset for check in LOOK_CHECKS}),
    )
    context.log.info(found.sentence)
    key = found.incident.repair_key
    runs = [] if key is None else [dg.RunRequest(run_key=key, tags=AHEAD)]
    return dg.SensorResult(
        run_requests=runs,
        skip_reason=None if runs else dg.SkipReason(found.sentence),
        cursor=found.cursor.to_json(),
        asset_events=list(found.events),
    )


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(name=check.name, asset=check.asset, description=check.about)
        for check in LOOK_CHECKS
    ],
    can_subset=True,
)
def look_now(
    context: dg.AssetCheckExecutionContext, lookout: dg.ResourceParam[Lookout]
) -> Iterator[dg.AssetCheckResult]:
    """One look for all of them."""
    with translate_failures():
        glance = lookout.look(datetime.now(UTC))
    for check in LOOK_CHECKS:
        if dg.AssetCheckKey(check.asset, check.name) in context.selected_asset_check_keys:
            yield to_result(check.judge(glance), asset=check.asset, check=check.name)
