"""The local stack of real servers: that it answers, survives kills, and leaves nothing behind."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from fraudlake.stack.lifecycle import start_stack
from fraudlake.stack.ports import choose_ports
from fraudlake.stack.processes import find_processes
from fraudlake.stack.readiness import answers
from fraudlake.stack.shutdown import stop_stack
from fraudlake.stack.status import read_status
from pipelines.errors import StackError
from pipelines.kafka import create_topics, list_partitions
from pipelines.settings import ElasticsearchSettings, FlinkSettings, Settings, StackSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from fraudlake.stack.observer import Step

pytestmark = pytest.mark.live


class Diary:
    """Remembers what was reported."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, Step]] = []

    def report(self, part: str, step: Step) -> None:
        self.steps.append((part, step))


def until(condition: Callable[[], bool], seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within its time"
        time.sleep(0.1)


def pids(settings: Settings) -> dict[str, int | None]:
    return {part.name: part.pid for part in read_status(settings).parts}


@pytest.fixture
def local(stack: Settings) -> Settings:
    """The stack of this run, if it was started here."""
    if stack.kafka.external:
        pytest.skip("the servers are external")
    return stack


def test_every_server_answers_and_all_together_stay_below_5_gb(local: Settings) -> None:
    servers = ("kafka", "elasticsearch", "jobmanager", "taskmanager-1")
    assert all(answers(part, local) for part in servers)
    status = read_status(local)
    assert status.is_well
    assert [part.name for part in status.parts] == [*servers, "supervisor"]
    assert 0 < status.rss_bytes < 5e9


def test_second_up_starts_nothing_twice(local: Settings) -> None:
    before, diary = pids(local), Diary()
    again = start_stack(local, servers_only=True, observer=diary)
    assert again == local
    assert pids(local) == before
    assert {step for part, step in diary.steps if part != "jars"} == {"already runs"}


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Settings]:
    """Settings of a stack that is Kafka alone, not yet started."""
    names = ("kafka_port", "kafka_controller_port", "dagster_port")
    ports = choose_ports(dict.fromkeys(names, 0), strict=False)
    settings = Settings(
        stack=StackSettings(home=tmp_path / "home", **ports),
        flink=FlinkSettings(external=True),
        elasticsearch=ElasticsearchSettings(external=True),
    )
    yield settings
    stop_stack(settings)
    assert find_processes(settings.stack.home) == []


def test_killed_broker_comes_back_with_its_topics(broker: Settings) -> None:
    running = start_stack(broker, servers_only=True)
    before = pids(running)["kafka"]
    assert before is not None
    os.kill(before, signal.SIGKILL)
    until(lambda: pids(running)["kafka"] not in (None, before))
    until(lambda: answers("kafka", running))
    assert set(list_partitions(running.kafka)) >= {"transactions", "decisions"}
    (part,) = [part for part in read_status(running).parts if part.name == "kafka"]
    assert (part.restarts, part.last_exit) == (1, "terminated by SIGKILL")


def test_killed_supervisor_is_cleared_away_by_the_next_up(broker: Settings) -> None:
    running = start_stack(broker, servers_only=True)
    topic = dataclasses.replace(running.kafka.topics().labels, name="kept")
    create_topics(running.kafka, [topic])
    before = pids(running)
    assert before["supervisor"] is not None
    os.kill(before["supervisor"], signal.SIGKILL)
    until(lambda: not read_status(running).is_up)
    assert read_status(running).remains == 1
    again = start_stack(broker, servers_only=True)
    assert before["kafka"] is not None
    assert not psutil.pid_exists(before["kafka"])
    assert "kept" in list_partitions(again.kafka)


def test_server_that_dies_at_start_is_quoted_and_nothing_is_left(broker: Settings) -> None:
    tiny = dataclasses.replace(broker.stack, kafka_heap_mb=4)
    with pytest.raises(StackError, match=r"kafka ended while starting \(exit status 1\).*\n"):
        start_stack(dataclasses.replace(broker, stack=tiny), servers_only=True)
    assert find_processes(broker.stack.home) == []
    assert not (broker.stack.home / "endpoints.toml").exists()


def begin(settings: Settings) -> subprocess.Popen[str]:
    """``fraudlake up`` in a process of its own, caught while the broker starts."""
    stack = settings.stack
    environ = {
        **os.environ,
        "FRAUDLAKE_STACK_HOME": str(stack.home),
        "FRAUDLAKE_STACK_KAFKA_PORT": str(stack.kafka_port),
        "FRAUDLAKE_STACK_KAFKA_CONTROLLER_PORT": str(stack.kafka_controller_port),
        "FRAUDLAKE_KAFKA_EXTERNAL": "false",
        "FRAUDLAKE_FLINK_EXTERNAL": "true",
        "FRAUDLAKE_ELASTICSEARCH_EXTERNAL": "true",
    }
    command = [sys.executable, "-m", "fraudlake.cli", "up", "--servers"]
    process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True)
    until(lambda: len(find_processes(stack.home)) >= 2)
    return process


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_interrupted_up_leaves_nothing(broker: Settings, how: signal.Signals) -> None:
    process = begin(broker)
    process.send_signal(how)
    process.communicate(timeout=60)
    assert process.returncode != 0
    assert find_processes(broker.stack.home) == []


def test_what_a_killed_up_leaves_is_ended_by_down(broker: Settings) -> None:
    process = begin(broker)
    process.kill()
    process.communicate(timeout=60)
    assert find_processes(broker.stack.home) != []
    assert stop_stack(broker)
    assert find_processes(broker.stack.home) == []


def test_up_brings_job_and_sinks_to_servers_that_run_elsewhere(
    settings: Settings, tmp_path: Path
) -> None:
    ours = dataclasses.replace(
        settings,
        stack=StackSettings(home=tmp_path / "home"),
        kafka=dataclasses.replace(settings.kafka, external=True),
        flink=dataclasses.replace(settings.flink, external=True, parallelism=1),
        elasticsearch=dataclasses.replace(settings.elasticsearch, external=True),
    )
    environ = {**os.environ, **ours.to_env()}

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "fraudlake.cli", *words]
        return subprocess.run(
            command, env=environ, capture_output=True, text=True, timeout=240, check=False
        )

    try:
        first = run("up")
        assert first.returncode == 0, first.stderr
        report = json.loads(run("status", "--json").stdout)
        states = {part["name"]: part["state"] for part in report["parts"]}
        mine = ("lakehouse-sink", "alerts-sink", "job-keeper", "job", "supervisor")
        elsewhere = ("kafka", "flink", "elasticsearch")
        assert states == dict.fromkeys((*mine, *elsewhere), "running")
        assert {part["name"] for part in report["parts"] if part["is_external"]} == set(elsewhere)
        assert "job: already runs" in run("up").stdout
    finally:
        run("job", "stop")
        assert run("down").returncode == 0
    assert find_processes(ours.stack.home) == []
