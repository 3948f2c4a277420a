"""Stopping the stack, and clearing away what a crash has left of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from fraudlake.stack.home import Home
from fraudlake.stack.observer import Observer, Silent
from fraudlake.stack.processes import end_processes, find_processes
from fraudlake.stack.supervisor import ProgramState, Supervisor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipelines.settings import Settings

POLL_SECONDS = 0.1
PATIENCE_SECONDS = 10.0


def stop_stack(settings: Settings, *, observer: Observer | None = None) -> bool:
    """Stop everything that belongs to the home; False if nothing ran. Data and logs stay."""
    home = Home(path=settings.stack.home.resolve())
    if not home.path.is_dir():
        return False
    with home.lock(wait_seconds=PATIENCE_SECONDS):
        return clear(home, Silent() if observer is None else observer)


def clear(home: Home, observer: Observer) -> bool:
    """End supervisord and its programs in order, then whatever else carries the home's mark."""
    supervisor = Supervisor(home)
    ran = supervisor.is_running()
    if ran:
        _stop_in_order(supervisor, observer)
    remains = find_processes(home.path)
    end_processes(remains, patience_seconds=PATIENCE_SECONDS)
    home.forget()
    return ran or bool(remains)


def _stop_in_order(supervisor: Supervisor, observer: Observer) -> None:
    for stage in _stop_stages(supervisor.states()):
        for name in stage:
            observer.report(name, "stopping")
            supervisor.halt(name)
        while any(_is_alive(supervisor.states()[name]) for name in stage):
            time.sleep(POLL_SECONDS)  # supervisord kills what does not end in its time
        for name in stage:
            observer.report(name, "stopped")
    supervisor.shut_down()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while supervisor.is_running() and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)


def _stop_stages(states: Mapping[str, ProgramState]) -> list[list[str]]:
    """Who is stopped together: readers before the servers they read from."""
    alive = [name for name, state in states.items() if _is_alive(state)]
    flink = [name for name in alive if name.startswith(("jobmanager", "taskmanager"))]
    servers = [name for name in alive if name in ("kafka", "elasticsearch")]
    workers = [name for name in alive if name not in (*flink, *servers)]
    return [stage for stage in (workers, flink, servers) if stage]


def _is_alive(state: ProgramState) -> bool:
    return state.state in ("RUNNING", "STARTING", "STOPPING", "BACKOFF")
