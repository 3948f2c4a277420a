"""Dagster's daemon for tests of the watch: ticks the sensor, stores what it says, runs its runs."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg

from orchestration.definitions import defs
from orchestration.keys import JOB

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

    from pipelines.settings import Settings


class Daemon:
    """What the daemon does with the sensor, in this process and when it is told to."""

    def __init__(self, instance: dg.DagsterInstance) -> None:
        self.instance = instance
        self.location = defs()
        self.cursor: str | None = None
        self.seconds = 0.0
        self.runs: list[dg.ExecuteInProcessResult] = []
        self.sensor = self.location.resolve_sensor_def("stream_watch")

    def tick(self) -> str:
        """One tick; its line. Runs are run before this returns."""
        begun = time.monotonic()
        context = dg.build_sensor_context(
            instance=self.instance,
            cursor=self.cursor,
            definitions=self.location,
            resources=dict(self.location.resources or {}),
        )
        found = self.sensor.evaluate_tick(context)
        self.seconds = time.monotonic() - begun
        self.cursor = found.cursor
        for event in found.asset_events:
            self.instance.report_runless_asset_event(event)
        for request in found.run_requests or ():
            job = self.location.resolve_job_def(self.sensor.job_name or "")
            self.runs.append(
                job.execute_in_process(
                    instance=self.instance, run_config=request.run_config, raise_on_error=False
                )
            )
        return found.skip_message or ""

    def outcome(self, check: str, asset: dg.AssetKey = JOB) -> str:
        """The newest evaluation of a check: its sentence, with a mark where it is not green."""
        key = dg.AssetCheckKey(asset, check)
        (record,) = self.instance.event_log_storage.get_asset_check_execution_history(key, limit=1)
        assert record.event is not None
        assert record.event.dagster_event is not None
        evaluation = record.event.dagster_event.asset_check_evaluation_data
        mark = {dg.AssetCheckSeverity.WARN: "YELLOW ", dg.AssetCheckSeverity.ERROR: "RED "}
        return f"{'' if evaluation.passed else mark[evaluation.severity]}{evaluation.description}"

    def repairs(self) -> list[str]:
        """What the repairs have done, the newest first."""
        found = self.instance.fetch_observations(JOB, limit=100).records
        seen = [record.asset_observation for record in found]
        return [
            str(one.metadata["repair"].value)
            for one in seen
            if one is not None and "repair" in one.metadata
        ]

    def commits(self) -> int:
        """How often the table of decisions was reported as new."""
        key = dg.AssetKey(["iceberg", "decisions"])
        return len(self.instance.fetch_materializations(key, limit=100).records)


@contextmanager
def daemon_for(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Daemon]:
    """With these settings, as the daemon's processes read them."""
    for name, value in settings.to_env().items():
        monkeypatch.setenv(name, value)
    with dg.instance_for_test() as instance:
        yield Daemon(instance)
