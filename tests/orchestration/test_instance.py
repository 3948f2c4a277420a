"""The template of an instance: what its daemon does about runs that died, and about many runs."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import dagster as dg
import pytest
from dagster._core.events import RunFailureReason
from dagster._core.execution.retries import auto_reexecution_should_retry_run
from dagster._daemon.monitoring import concurrency
from dagster._utils.tags import TagConcurrencyLimitsCounter

import orchestration
from orchestration.defs.traffic import send_traffic

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

TEMPLATE = Path(orchestration.__file__).with_name("dagster.yaml")
POOL = "flink_deploy"
KILLED_RUN = f"""
import os, signal, sys
import dagster as dg

@dg.asset(pool={POOL!r})
def deployment() -> None:
    os.kill(os.getpid(), signal.SIGKILL)

with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    dg.materialize([deployment], instance=instance)
"""


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    (tmp_path / "dagster.yaml").write_text(TEMPLATE.read_text())
    with dg.DagsterInstance.from_config(str(tmp_path)) as one:
        yield one


def test_instance_template_is_accepted_and_quiet(instance: dg.DagsterInstance) -> None:
    assert instance.telemetry_enabled is False
    assert instance.nux_enabled is False


def count_held(instance: dg.DagsterInstance) -> int:
    return instance.event_log_storage.get_concurrency_info(POOL).active_slot_count


def test_place_of_a_killed_run_is_free_again_after_a_minute(
    instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was held for ever: each later deployment and repair waited for it."""
    killed = subprocess.run(
        [sys.executable, "-c", KILLED_RUN, str(tmp_path)],
        env={**os.environ, "DAGSTER_DISABLE_TELEMETRY": "yes"},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    (run,) = instance.get_runs()
    instance.report_run_failed(run, "its process is gone")
    assert count_held(instance) == 1

    def sweep(after: timedelta) -> int:
        """As the daemon does so long after the end; the places that are held then."""
        moment = datetime.now(UTC) + after
        monkeypatch.setattr(concurrency, "get_current_datetime", lambda: moment)
        context = SimpleNamespace(instance=instance)
        log = logging.getLogger(__name__)
        errors = [*concurrency.execute_concurrency_slots_iteration(context, log)]  # type: ignore[arg-type]
        assert not any(errors)
        return count_held(instance)

    assert sweep(timedelta(seconds=30)) == 1
    assert sweep(timedelta(seconds=90)) == 0


def test_run_whose_death_nobody_saw_is_ended_but_traffic_may_take_a_day(
    instance: dg.DagsterInstance,
) -> None:
    assert instance.run_monitoring_enabled
    assert instance.run_monitoring_max_runtime_seconds == 7200
    assert send_traffic.tags["dagster/max_runtime"] == "86400"


def test_only_traffic_is_not_sent_again_after_a_crash(instance: dg.DagsterInstance) -> None:
    """The run that was tried again sent all of it a second time."""

    def is_tried_again(job: str, tags: Mapping[str, str]) -> bool:
        died = dg.DagsterRun(job_name=job, tags=tags, status=dg.DagsterRunStatus.FAILURE)
        instance.add_run(died)
        unknown = RunFailureReason.UNKNOWN
        return bool(auto_reexecution_should_retry_run(instance, died, unknown))

    assert not is_tried_again("send_traffic", send_traffic.tags)
    assert is_tried_again("operate_sinks", {})


def test_backfill_takes_one_place_of_four(instance: dg.DagsterInstance) -> None:
    """Four of its runs waited for the pool of the reconciliation, and a repair behind them."""
    queue = instance.get_concurrency_config().run_queue_config
    assert queue is not None
    assert queue.max_concurrent_runs == 4
    filled = dg.DagsterRun(job_name="hours", tags={"dagster/backfill": "a"})
    counter = TagConcurrencyLimitsCounter(queue.tag_concurrency_limits, [filled])

    assert counter.is_blocked(dg.DagsterRun(job_name="hours", tags={"dagster/backfill": "a"}))
    assert not counter.is_blocked(dg.DagsterRun(job_name="repair"))
