"""The code location with its watch alone, which looks as often as the daemon lets it.

``dagster-daemon run -m quick_watch``. The sensors and schedules that would start work of their own
are left out; what a tick does is the very ``stream_watch``, and what it asks for is its own job.
"""

import dagster as dg

from orchestration.defs import bound
from orchestration.defs.repair import repair_stream
from orchestration.defs.watch import stream_watch
from orchestration.keys import JOB


@dg.sensor(
    name=stream_watch.name,
    job_name=repair_stream.name,
    minimum_interval_seconds=1,
    default_status=dg.DefaultSensorStatus.RUNNING,
    required_resource_keys={"lookout"},
)
def quick_watch(context: dg.SensorEvaluationContext) -> object:
    return stream_watch(context)


@dg.definitions
def defs() -> dg.Definitions:
    own = dg.Definitions(
        assets=[dg.AssetSpec(JOB)],
        jobs=[repair_stream],
        sensors=[quick_watch],
        executor=dg.in_process_executor,
    )
    return dg.Definitions.merge(own, bound.resources())
