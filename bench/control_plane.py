"""What Dagster costs beside the stream: loading the graph, a tick of the watch, its memory.

Each is measured as users meet it: a fresh interpreter loads the code location; a process of its own
ticks the very sensor (``orchestration.ticking``) against the servers of the settings, and once more
against ones that take connections and never answer; the memory is that of the running web server,
daemon and code servers together, over a time in which the watch ticks.
"""

from __future__ import annotations

import dataclasses
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

import psutil

from pipelines.errors import TerminalError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from pipelines.settings import Settings

LOADS = 3
TICKS = 5
SAMPLE_SECONDS = 1.0
CHILD_SECONDS = 120.0
_LOAD = (
    "import dagster as dg; from orchestration.definitions import defs; "
    "dg.Definitions.validate_loadable(defs())"
)
_RUN = "execute_run"
"""In the command of a process that executes a run: it is neither web server nor daemon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """How long the same thing took, again and again."""

    seconds: tuple[float, ...]

    @property
    def median_s(self) -> float:
        return median(self.seconds)

    @property
    def worst_s(self) -> float:
        """Mostly the first: a process imports the clients before it looks."""
        return max(self.seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """The most that all processes of Dagster had at one moment."""

    processes: int
    pss_mb: float | None
    """Pages that processes share are counted once in the sum; None: the system does not tell."""
    rss_mb: float
    """Each process with all its pages, so that shared ones are counted again and again."""

    @property
    def mb(self) -> float:
        return self.rss_mb if self.pss_mb is None else self.pss_mb


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlPlaneCost:
    """All of it, of one run."""

    load: Times
    tick_up: Times
    line_up: str
    """What the last tick said: whether all servers were up."""
    tick_silent: Times
    line_silent: str
    memory: Memory


def measure_control_plane(
    settings: Settings, *, pid: int, seconds: int, say: Callable[[str], None]
) -> ControlPlaneCost:
    """``pid`` is the process whose descendants are Dagster's, watched for so many seconds."""
    say(f"loading the code location {LOADS} times")
    load = Times(seconds=tuple(_time_load(settings) for _ in range(LOADS)))
    say(f"{TICKS} ticks at the servers of the settings")
    tick_up, line_up = _tick(settings)
    with silent_server() as address:
        say(f"{TICKS} ticks at servers that never answer")
        tick_silent, line_silent = _tick(point_at(settings, address))
    say(f"watching Dagster's memory for {seconds} s")
    return ControlPlaneCost(
        load=load,
        tick_up=tick_up,
        line_up=line_up,
        tick_silent=tick_silent,
        line_silent=line_silent,
        memory=watch_memory(psutil.Process(pid), seconds=seconds),
    )


@contextmanager
def silent_server() -> Iterator[str]:
    """An address that takes connections and never says a word: worse than one that refuses."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


def point_at(settings: Settings, address: str) -> Settings:
    """The settings with every server there."""
    url = f"http://{address}"
    return dataclasses.replace(
        settings,
        kafka=dataclasses.replace(settings.kafka, bootstrap_servers=address),
        flink=dataclasses.replace(settings.flink, rest_url=url),
        elasticsearch=dataclasses.replace(settings.elasticsearch, url=url),
        lakehouse=dataclasses.replace(
            settings.lakehouse, catalog_uri=f"{url}/catalog", warehouse="w"
        ),
    )


def watch_memory(root: psutil.Process, *, seconds: float) -> Memory:
    """The largest of a sample each second; processes that execute runs are left out."""
    deadline = time.monotonic() + seconds
    largest = _read_memory(root)
    while time.monotonic() < deadline:
        time.sleep(SAMPLE_SECONDS)
        largest = max(largest, _read_memory(root), key=lambda one: one.mb)
    return largest


def _read_memory(root: psutil.Process) -> Memory:
    pss: list[int] = []
    rss: list[int] = []
    for process in (root, *root.children(recursive=True)):
        try:
            if _RUN in process.cmdline():
                continue
            found = process.memory_full_info()
        except psutil.NoSuchProcess:
            continue
        rss.append(found.rss)
        pss += [found.pss] if hasattr(found, "pss") else []
    return Memory(
        processes=len(rss),
        pss_mb=sum(pss) / 1e6 if len(pss) == len(rss) else None,
        rss_mb=sum(rss) / 1e6,
    )


def _time_load(settings: Settings) -> float:
    """The start of the interpreter included."""
    begun = time.monotonic()
    _run(("-c", _LOAD), settings)
    return time.monotonic() - begun


def _tick(settings: Settings) -> tuple[Times, str]:
    said = [
        json.loads(line) for line in _run(("-m", "orchestration.ticking", str(TICKS)), settings)
    ]
    return Times(seconds=tuple(float(one["seconds"]) for one in said)), str(said[-1]["line"])


def _run(words: Sequence[str], settings: Settings) -> Sequence[str]:
    """The lines that a Python process prints, which must end well."""
    environ: Mapping[str, str] = {**os.environ, **settings.to_env()}
    command = [sys.executable, "-P", *words]
    try:
        done = subprocess.run(
            command, env=environ, capture_output=True, text=True, timeout=CHILD_SECONDS, check=False
        )
    except subprocess.TimeoutExpired as error:
        msg = f"{' '.join(command)} did not end within {CHILD_SECONDS:.0f} s"
        raise TransientError(msg) from error
    if done.returncode != 0:
        msg = f"{' '.join(command)} failed: {done.stderr.strip().splitlines()[-1:]}"
        raise TerminalError(msg)
    return done.stdout.splitlines()
