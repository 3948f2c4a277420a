"""A sink as users run it, a process of its own, and the kernel's figures of it."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import psutil

from pipelines.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings

START_SECONDS = 60.0


@contextmanager
def running_sink(
    settings: Settings, name: Literal["lakehouse", "alerts"], *, log: Path, ready: bytes
) -> Iterator[psutil.Process]:
    """The running sink, once it has logged ``ready``; ended with the block."""
    with log.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, "-P", "-m", "fraudlake.cli", "sink", name],
            env=settings.to_env(),
            stdout=output,
            stderr=output,
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while ready not in log.read_bytes():
            if child.poll() is not None or time.monotonic() > deadline:
                msg = f"the sink did not start: {log.read_text()[-500:]}"
                raise TransientError(msg)
            time.sleep(0.01)
        yield psutil.Process(child.pid)
    finally:
        child.terminate()
        child.wait(60)


def cpu_s(process: psutil.Process) -> float:
    """The processor time it has used so far."""
    times = process.cpu_times()
    return float(times.user + times.system)


def peak_mb(process: psutil.Process) -> float:
    """The most memory it has ever used."""
    status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024 / 1e6
