"""What Dagster's processes weigh: what they share once, and without those that run something."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from bench.control_plane import Times, point_at, silent_server, watch_memory
from pipelines.errors import TransientError
from pipelines.flink import FlinkRest
from pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

HOLD = (
    "import sys; held = bytearray(int(sys.argv[1]) * 1_000_000); "
    "print(flush=True); sys.stdin.read()"
)


@pytest.fixture
def children() -> Iterator[list[subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        process.kill()
        process.communicate()


def hold(started: list[subprocess.Popen[bytes]], megabytes: int, *words: str) -> None:
    command = [sys.executable, "-c", HOLD, str(megabytes), *words]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    started.append(process)
    assert process.stdout is not None
    process.stdout.readline()


def test_memory_is_that_of_all_descendants_but_those_that_execute_runs(
    children: list[subprocess.Popen[bytes]],
) -> None:
    before = watch_memory(psutil.Process(), seconds=0)
    hold(children, 100)
    hold(children, 300, "execute_run")
    after = watch_memory(psutil.Process(), seconds=0)

    assert after.processes == before.processes + 1
    assert 100 < after.mb - before.mb < 150
    assert after.rss_mb >= after.mb


def test_worst_and_median_of_times() -> None:
    times = Times(seconds=(3.0, 0.5, 0.7))
    assert (times.median_s, times.worst_s) == (0.7, 3.0)


def test_every_server_of_the_settings_is_silent() -> None:
    with silent_server() as address:
        away = point_at(Settings(), address)
        assert address in away.kafka.bootstrap_servers
        assert address in away.elasticsearch.url
        assert address in away.lakehouse.catalog_uri
        with pytest.raises(TransientError, match="timed out"):
            FlinkRest(away.flink.rest_url, request_seconds=0.2).cluster()
