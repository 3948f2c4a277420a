"""``fraudlake demo`` as a newcomer runs it: on a home of its own, from nothing to nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from fraudlake.stack.processes import find_processes
from fraudlake.stack.status import read_status
from pipelines.settings import Settings, StackSettings

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.live

COMMAND = [sys.executable, "-m", "fraudlake.cli", "demo", "--seconds", "8"]
MOST_BYTES = 5e9


@pytest.fixture
def home(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)  # Elasticsearch may run as another user
    return tmp_path / "home"


def begin(home: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        COMMAND,
        env={**os.environ, "FRAUDLAKE_STACK_HOME": str(home), "COLUMNS": "100"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_demo_shows_alerts_balances_and_leaves_nothing(home: Path) -> None:
    process = begin(home)
    settings = Settings(stack=StackSettings(home=home))
    most_bytes = 0
    while process.poll() is None:
        most_bytes = max(most_bytes, read_status(settings).rss_bytes)
        time.sleep(1)
    assert process.stdout is not None
    shown = process.stdout.read()
    process.stdout.close()
    assert process.returncode == 0, shown
    assert "everything that came in was decided and stored exactly once" in shown
    assert re.search(r"first alert \d+ s after the start, servers included", shown)
    assert re.search(r"^ *(review|block) +c_\w+ +[\d,.]+ EUR ", shown, re.M)
    assert 1e9 < most_bytes < MOST_BYTES  # servers, job and sinks together, under traffic
    assert find_processes(home) == []


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_demo_stops_what_it_started(home: Path, ending: signal.Signals) -> None:
    process = begin(home)
    deadline = time.monotonic() + 120
    while len(find_processes(home)) < 2:
        assert time.monotonic() < deadline, "no server was started"
        time.sleep(0.1)
    process.send_signal(ending)
    shown, _ = process.communicate(timeout=120)
    assert process.returncode == 130, shown
    assert find_processes(home) == []
