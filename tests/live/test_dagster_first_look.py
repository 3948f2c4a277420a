"""A new instance of Dagster on real servers: one run puts everything in place, sinks included."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest

from fraudlake.stack.home import Home
from fraudlake.stack.sinks import stop_sink
from fraudlake.stack.supervisor import Supervisor
from fraudlake.stack.workers import ALERTS_SINK, LAKEHOUSE_SINK
from orchestration.definitions import defs
from orchestration.defs.first_look import first_look
from orchestration.defs.sinks import Action, SinkOperation, Which
from pipelines.flink import FlinkRest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings

pytestmark = pytest.mark.live
BY_THE_CLOCK = {
    dg.AssetKey(["iceberg", "compaction"]),
    dg.AssetKey(["iceberg", "expiry"]),
    dg.AssetKey(["iceberg", "sweep"]),
    dg.AssetKey(["elasticsearch", "retention"]),
}


@pytest.fixture
def settings_of_runs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The settings as a run of Dagster reads them; job and sinks end with the test."""
    for name, value in settings.to_env().items():
        monkeypatch.setenv(name, value)
    yield settings
    rest = FlinkRest(settings.flink.rest_url)
    active = rest.active_job(settings.flink.job_name)
    if active is not None:
        rest.cancel(active.job_id)
    for sink in (LAKEHOUSE_SINK, ALERTS_SINK):
        stop_sink(settings, sink)


def test_first_run_turns_the_graph_green_and_sinks_are_operated_from_there(
    settings_of_runs: Settings,
) -> None:
    location = defs()
    graph = location.resolve_asset_graph()
    with dg.instance_for_test() as instance:

        def tick() -> dg.SensorResult | dg.SkipReason:
            context = dg.build_sensor_context(
                instance=instance, repository_def=location.get_repository_def()
            )
            result = first_look(context)
            assert isinstance(result, dg.SensorResult | dg.SkipReason)
            return result

        ticked = tick()
        assert isinstance(ticked, dg.SensorResult)
        (request,) = ticked.run_requests or ()
        selection = list(request.asset_selection or ())
        run = location.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance, asset_selection=selection, raise_on_error=False
        )

        assert run.success
        seen = {event.asset_key for event in run.get_asset_materialization_events()}
        unpartitioned = {node.key for node in graph.asset_nodes if not node.is_partitioned}
        assert seen == unpartitioned - BY_THE_CLOCK
        assert isinstance(tick(), dg.SkipReason)

        operate = location.resolve_job_def("operate_sinks")
        wish = SinkOperation(action=Action.STOP, sink=Which.ALERTS)
        stopped = operate.execute_in_process(
            instance=instance, run_config=dg.RunConfig(ops={"operate": wish})
        )
        (event,) = stopped.get_asset_observation_events()
        found = event.asset_observation_data.asset_observation.metadata
        assert found["done"].value == "stopped"
        supervised = Supervisor(Home(path=settings_of_runs.stack.home)).states()
        assert supervised[ALERTS_SINK].state == "STOPPED"
        assert supervised[LAKEHOUSE_SINK].state == "RUNNING"
