"""Dagster's own daemon, killed in the middle of a tick: nothing told twice, one repair run."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.scheduler.instigation import TickStatus
from pipeline_runs import running_job, running_sinks
from test_job_decisions import send_transactions, transaction
from test_job_upgrade import until

import orchestration
from orchestration.defs.repair import repair_stream
from orchestration.keys import table_key
from orchestration.watching.told import READ_UP_TO, ROWS
from pipelines.flink import FlinkRest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from dagster._core.scheduler.instigation import InstigatorTick

    from pipelines.settings import Settings

pytestmark = pytest.mark.live

PROGRAM = Path(sys.executable).with_name("dagster-daemon")
HERE = Path(__file__).parent


class LiveDaemon:
    """The daemon's process with an instance of its own, which outlives it."""

    def __init__(self, instance: dg.DagsterInstance, environ: Mapping[str, str]) -> None:
        self.instance = instance
        self._environ = environ
        self._started: list[subprocess.Popen[bytes]] = []

    def start(self) -> None:
        command = [str(PROGRAM), "run", "-m", "quick_watch", "-d", str(HERE)]
        # A session of its own, because the daemon starts a code server that outlives its kill.
        self._started.append(
            subprocess.Popen(command, env=self._environ, cwd=HERE, start_new_session=True)
        )

    def kill_when(self, is_reached: Callable[[], bool], seconds: float = 90) -> None:
        """SIGKILL, within milliseconds of the moment."""
        daemon = self._started[-1]
        deadline = time.monotonic() + seconds
        while not is_reached():
            assert daemon.poll() is None, "the daemon has ended by itself"
            assert time.monotonic() < deadline, "the moment did not come"
            time.sleep(0.005)
        daemon.kill()
        daemon.wait()

    def end(self) -> None:
        for process in self._started:
            with suppress(ProcessLookupError):  # its code server has ended, too
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def ticks(self) -> list[InstigatorTick]:
        """The newest first."""
        return [
            tick
            for state in self.instance.all_instigator_state()
            for tick in self.instance.get_ticks(state.instigator_origin_id, state.selector_id)
        ]

    def finished_ticks(self) -> int:
        return sum(tick.status is not TickStatus.STARTED for tick in self.ticks())

    def await_ticks(self, more: int) -> None:
        """So many further ticks, from beginning to end."""
        wanted = self.finished_ticks() + more
        until(lambda: self.finished_ticks() >= wanted, seconds=90)

    def told(self) -> list[tuple[int, str]]:
        """What was told of the table of decisions, the newest first."""
        found = self.instance.fetch_materializations(table_key("decisions"), limit=100).records
        events = [record.asset_materialization for record in found]
        return [
            (int(str(one.metadata[ROWS].value)), str(one.metadata[READ_UP_TO].value))
            for one in events
            if one is not None
        ]

    def repairs(self) -> list[dg.DagsterRun]:
        return list(self.instance.get_runs(dg.RunsFilter(job_name=repair_stream.name)))


@pytest.fixture
def daemon(settings: Settings, tmp_path: Path) -> Iterator[LiveDaemon]:
    template = Path(orchestration.__file__).with_name("dagster.yaml")
    shutil.copyfile(template, tmp_path / "dagster.yaml")
    environ = {
        **os.environ,
        **settings.to_env(),
        "DAGSTER_HOME": str(tmp_path),
        "DAGSTER_DISABLE_TELEMETRY": "yes",
    }
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        one = LiveDaemon(instance, environ)
        try:
            yield one
        finally:
            one.end()


def test_daemon_that_is_killed_tells_no_commit_twice_and_repairs_an_end_once(
    settings: Settings, daemon: LiveDaemon
) -> None:
    rest = FlinkRest(settings.flink.rest_url)
    daemon.start()
    with running_job(settings, ruleset="classic") as deployment, running_sinks(settings):
        send_transactions(settings.kafka, *(transaction(n, n) for n in range(20)))
        # 1. In the tick that has just told of the commit, before it has kept its cursor.
        daemon.kill_when(lambda: daemon.told() != [])
        assert daemon.ticks()[0].status is TickStatus.STARTED
        daemon.start()
        daemon.await_ticks(3)  # the one that was cut off counts as well
        (first,) = set(daemon.told())
        assert daemon.told() == [first]
        # 2. Between two ticks, and while it is away there is a further commit.
        before = daemon.finished_ticks()
        daemon.kill_when(lambda: daemon.finished_ticks() > before)
        send_transactions(settings.kafka, *(transaction(n, n) for n in range(20, 30)))
        daemon.start()
        until(lambda: daemon.told()[0][0] == 30, seconds=90)
        daemon.await_ticks(2)
        assert len(set(daemon.told())) == len(daemon.told())
        # 3. In the tick that has just asked for a repair.
        rest.cancel(deployment.job_id)
        daemon.kill_when(lambda: daemon.repairs() != [])
        daemon.start()
        until(
            lambda: {run.status for run in daemon.repairs()} == {dg.DagsterRunStatus.SUCCESS},
            seconds=90,
        )
        running = rest.active_job(settings.flink.job_name)
        assert running is not None
        assert running.job_id != deployment.job_id
        daemon.await_ticks(2)

        assert len(daemon.repairs()) == 1
        assert [job.job_id for job in rest.jobs(settings.flink.job_name) if job.is_active] == [
            running.job_id
        ]
        assert len(set(daemon.told())) == len(daemon.told())
