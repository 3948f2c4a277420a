"""Dagster on real servers: its assets deploy the job, and its job sends traffic that is decided."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg
import pytest
from pipeline_runs import await_values

from orchestration.definitions import defs
from orchestration.keys import JOB, RULES
from pipelines.flink import FlinkRest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings

pytestmark = pytest.mark.live


@pytest.fixture
def settings_of_runs(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """The settings as a run of Dagster reads them; the job is cancelled at the end."""
    for name, value in settings.to_env().items():
        monkeypatch.setenv(name, value)
    yield settings
    rest = FlinkRest(settings.flink.rest_url)
    active = rest.active_job(settings.flink.job_name)
    if active is not None:
        rest.cancel(active.job_id)


def deployed_by(result: dg.ExecuteInProcessResult) -> dg.AssetMaterialization:
    """What the run said of the job."""
    (found,) = [
        event.materialization
        for event in result.get_asset_materialization_events()
        if event.asset_key == JOB
    ]
    return found


def test_the_graph_deploys_the_job_and_the_traffic_job_feeds_it(settings_of_runs: Settings) -> None:
    settings = settings_of_runs
    location = defs()
    with dg.instance_for_test() as instance:
        deploy = location.resolve_implicit_global_asset_job_def()
        first = deploy.execute_in_process(
            instance=instance,
            asset_selection=[RULES, JOB],
            run_config={"ops": {"rules__active": {"config": {"ruleset": "baseline"}}}},
        )
        assert first.success
        report = deployed_by(first)
        running = FlinkRest(settings.flink.rest_url).active_job(settings.flink.job_name)
        assert running is not None
        assert report.metadata["job id"].value == running.job_id
        assert str(report.metadata["rule set"].value).startswith("baseline@")
        assert report.metadata["deployed"].value == "started"
        # A second time it is left alone, and keeps its rule set.
        again = deploy.execute_in_process(instance=instance, asset_selection=[JOB])
        assert deployed_by(again).metadata["deployed"].value == "unchanged"
        assert deployed_by(again).metadata["job id"].value == running.job_id
        traffic = location.resolve_job_def("send_traffic").execute_in_process(
            instance=instance,
            run_config={"ops": {"send": {"config": {"count": 500, "cards": 50, "rate": 500.0}}}},
        )
        assert traffic.success
    decisions = await_values(settings.kafka, settings.kafka.topics().decisions.name, 500)
    assert len(decisions) == 500
    assert {decision["ruleset"].split("@")[0] for decision in decisions} == {"baseline"}
    # Another rule set takes its place, on its state.
    with dg.instance_for_test() as instance:
        third = deploy.execute_in_process(
            instance=instance,
            asset_selection=[RULES, JOB],
            run_config={"ops": {"rules__active": {"config": {"ruleset": "classic"}}}},
        )
        judged = {one.check_name: one for one in third.get_asset_check_evaluations()}
    found = {name: value.value for name, value in deployed_by(third).metadata.items()}
    assert (found["deployed"], found["lost"], found["doubled"]) == ("replaced", 0, 0)
    assert found["job id"] != running.job_id
    assert "savepoint" in str(found["started from"])
    assert str(found["rule set"]).startswith("classic@")
    # The checks of the job run with it, and see the job that was just deployed.
    assert judged["running"].passed, judged["running"].description
    assert judged["decides_by_active_rules"].passed, judged["decides_by_active_rules"].description
    assert str(found["job id"]) in str(judged["running"].description)
