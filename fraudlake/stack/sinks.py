"""The sinks of a stack that is up: starting and stopping one, as its supervisor does it.

``part`` is ``LAKEHOUSE_SINK`` or ``ALERTS_SINK``. A sink that is stopped here stays stopped until
it is started again, be it by `fraudlake up`. Its last commit is waited for.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from fraudlake.stack.home import Home
from fraudlake.stack.last_words import last_words
from fraudlake.stack.readiness import answers
from fraudlake.stack.supervisor import ProgramState, Supervisor
from pipelines.errors import SettingsError, StackError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings

Outcome = Literal["started", "already runs", "started anew", "stopped", "already stopped"]
READY_SECONDS = 60.0
# supervisord kills one that takes longer than its ``stop_seconds``.
STOP_SECONDS = 45.0
# `fraudlake up` holds the home until everything answers; Dagster may be there before the job is.
LOCK_SECONDS = 60.0
POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class SinkReport:
    """What was done to a sink, and how it is now."""

    part: str
    outcome: Outcome
    pid: int | None
    uptime_seconds: int
    log: str


def start_sink(settings: Settings, part: str, *, unless_stopped: bool = False) -> SinkReport:
    """See that the sink runs and has all it needs.

    With ``unless_stopped`` one that ``stop_sink`` has stopped since the stack came up stays so.

    StackError: no stack is up, or the sink ended while it started, with its last words.
    TransientError: it runs, and waits for a server that is away.
    """
    with _supervised(settings, part) as desk:
        state = desk.state()
        if unless_stopped and state.state == "STOPPED" and state.was_started:
            return desk.report("already stopped")
        return _start(desk, outcome="already runs" if desk.is_alive() else "started")


def stop_sink(settings: Settings, part: str) -> SinkReport:
    """See that the sink has ended, after its last commit. StackError: no stack is up."""
    with _supervised(settings, part) as desk:
        outcome: Outcome = "stopped" if desk.is_alive() else "already stopped"
        desk.stop()
        return desk.report(outcome)


def restart_sink(settings: Settings, part: str) -> SinkReport:
    """End the sink, if it runs, and start it: it reads its settings anew."""
    with _supervised(settings, part) as desk:
        outcome: Outcome = "started anew" if desk.is_alive() else "started"
        desk.stop()
        return _start(desk, outcome=outcome)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """The supervisor, asked about one sink."""

    settings: Settings
    home: Home
    supervisor: Supervisor
    part: str

    def state(self) -> ProgramState:
        return self.supervisor.states()[self.part]

    def is_alive(self) -> bool:
        return self.state().state in ("RUNNING", "STARTING", "BACKOFF")

    def exits(self) -> list[str]:
        return self.supervisor.read_exits().get(self.part, [])

    def stop(self) -> None:
        if self.is_alive():
            self.supervisor.halt(self.part)
        deadline = time.monotonic() + STOP_SECONDS
        while self.state().state not in ("STOPPED", "EXITED", "FATAL"):
            if time.monotonic() > deadline:
                msg = f"{self.part} does not end. See {self.home.log(self.part)}"
                raise StackError(msg)
            time.sleep(POLL_SECONDS)

    def report(self, outcome: Outcome) -> SinkReport:
        state = self.state()
        return SinkReport(
            part=self.part,
            outcome=outcome,
            pid=state.pid,
            uptime_seconds=state.uptime_seconds,
            log=str(self.home.log(self.part)),
        )


def _start(desk: _Desk, *, outcome: Outcome) -> SinkReport:
    part = desk.part
    ended_before = len(desk.exits())
    if not desk.is_alive():
        desk.supervisor.launch(part)
    deadline = time.monotonic() + READY_SECONDS
    while not (desk.state().state == "RUNNING" and answers(part, desk.settings)):
        exits = desk.exits()
        if len(exits) > ended_before or desk.state().state in ("EXITED", "FATAL"):
            raise StackError(last_words(desk.home, part, exits))
        if time.monotonic() > deadline:
            msg = f"{part} runs, and what it needs is away. It says why in {desk.home.log(part)}"
            raise TransientError(msg)
        time.sleep(POLL_SECONDS)
    return desk.report(outcome)


@contextmanager
def _supervised(settings: Settings, part: str) -> Iterator[_Desk]:
    """The desk of a stack that is up, held against `up` and `down`."""
    if settings.stack.sinks_external:
        msg = (
            "stack.sinks_external is true: the sinks are run elsewhere, and are started and "
            f"stopped there, in the containers by `docker compose restart {part}`"
        )
        raise SettingsError(msg)
    home = Home(path=settings.stack.home.resolve())
    supervisor = Supervisor(home)
    absent = StackError(f"no stack is up in {home.path}. Start it with `fraudlake up`")
    if not home.path.is_dir():
        raise absent
    with home.lock(wait_seconds=LOCK_SECONDS):
        if not supervisor.is_running():
            raise absent
        yield _Desk(settings=settings, home=home, supervisor=supervisor, part=part)
