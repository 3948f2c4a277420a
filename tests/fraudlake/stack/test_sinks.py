"""Starting and stopping a sink under a real supervisord, with small programs as the sinks."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import psutil
import pytest

from fraudlake.stack import sinks
from fraudlake.stack.home import Home
from fraudlake.stack.processes import end_processes, find_processes
from fraudlake.stack.program import Program
from fraudlake.stack.sinks import restart_sink, start_sink, stop_sink
from fraudlake.stack.supervisor import Supervisor
from fraudlake.stack.workers import ALERTS_SINK, LAKEHOUSE_SINK
from pipelines.errors import SettingsError, StackError, TransientError
from pipelines.settings import Settings, StackSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Leaves the mark of a sink that has all it needs; told to end, it takes a moment to commit.
WORKING = """
import os, pathlib, signal, sys, time
mark = pathlib.Path(sys.argv[1])
def end(*_):
    time.sleep(0.3)
    mark.unlink()
    mark.with_suffix(".committed").touch()
    sys.exit(0)
signal.signal(signal.SIGTERM, end)
mark.parent.mkdir(exist_ok=True)
mark.write_text(str(os.getpid()))
time.sleep(600)
"""
WAITING = "import time; time.sleep(600)"
REFUSING = "print('error: the table has another schema', flush=True); raise SystemExit(4)"


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    place = Home(path=tmp_path)
    place.make()
    yield place
    end_processes(find_processes(place.path), patience_seconds=0.1)


@pytest.fixture
def settings(home: Home) -> Settings:
    return Settings(stack=StackSettings(home=home.path))


def bring_up(home: Home, *, lakehouse: str = WORKING) -> Supervisor:
    """A stack of two sinks, neither of which has been started."""
    supervisor = Supervisor(home)
    scripts = {LAKEHOUSE_SINK: lakehouse, ALERTS_SINK: WORKING}
    for name, text in scripts.items():
        (home.path / f"{name}.py").write_text(text)
    programs = [
        Program(
            name=name,
            command=(
                sys.executable,
                str(home.path / f"{name}.py"),
                str(home.path / "sessions" / name),
            ),
            priority=1,
            directory=home.path,
            steady_seconds=0,
        )
        for name in scripts
    ]
    supervisor.start(programs, os.environ)
    return supervisor


def test_stopped_sink_is_started_once_and_the_other_one_left_alone(
    home: Home, settings: Settings
) -> None:
    supervisor = bring_up(home)

    first = start_sink(settings, LAKEHOUSE_SINK)
    again = start_sink(settings, LAKEHOUSE_SINK)

    assert (first.outcome, again.outcome) == ("started", "already runs")
    assert first.pid is not None
    assert psutil.pid_exists(first.pid)
    assert again.pid == first.pid
    assert supervisor.states()[ALERTS_SINK].state == "STOPPED"


def test_stop_waits_for_the_last_commit_and_the_sink_stays_stopped(
    home: Home, settings: Settings
) -> None:
    supervisor = bring_up(home)
    start_sink(settings, ALERTS_SINK)

    stopped = stop_sink(settings, ALERTS_SINK)

    assert (home.path / "sessions" / f"{ALERTS_SINK}.committed").exists()
    assert (stopped.outcome, stopped.pid) == ("stopped", None)
    assert supervisor.states()[ALERTS_SINK].state == "STOPPED"
    assert stop_sink(settings, ALERTS_SINK).outcome == "already stopped"


def test_stopped_sink_is_spared_and_one_that_never_ran_is_not(
    home: Home, settings: Settings
) -> None:
    supervisor = bring_up(home)
    assert start_sink(settings, ALERTS_SINK, unless_stopped=True).outcome == "started"
    stop_sink(settings, ALERTS_SINK)

    spared = start_sink(settings, ALERTS_SINK, unless_stopped=True)

    assert (spared.outcome, spared.pid) == ("already stopped", None)
    assert supervisor.states()[ALERTS_SINK].state == "STOPPED"


def test_restart_ends_the_process_and_starts_another(home: Home, settings: Settings) -> None:
    bring_up(home)
    first = start_sink(settings, LAKEHOUSE_SINK)

    again = restart_sink(settings, LAKEHOUSE_SINK)

    assert again.outcome == "started anew"
    assert again.pid not in (None, first.pid)
    assert not psutil.pid_exists(first.pid or 0)


def test_sink_that_refuses_to_work_is_quoted(home: Home, settings: Settings) -> None:
    bring_up(home, lakehouse=REFUSING)

    with pytest.raises(StackError, match="exit status 4") as caught:
        start_sink(settings, LAKEHOUSE_SINK)

    assert "error: the table has another schema" in str(caught.value)


def test_sink_that_waits_for_a_server_is_worth_another_try(
    home: Home, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    supervisor = bring_up(home, lakehouse=WAITING)
    monkeypatch.setattr(sinks, "READY_SECONDS", 0.5)

    with pytest.raises(TransientError, match=r"what it needs is away.*lakehouse-sink\.log"):
        start_sink(settings, LAKEHOUSE_SINK)

    assert supervisor.states()[LAKEHOUSE_SINK].state == "RUNNING"


@pytest.mark.parametrize("act", [start_sink, stop_sink, restart_sink])
def test_without_a_stack_or_with_sinks_elsewhere_the_error_says_where_to_turn(
    act: object, tmp_path: Path
) -> None:
    assert callable(act)
    down = Settings(stack=StackSettings(home=tmp_path / "none"))
    elsewhere = Settings(stack=StackSettings(home=tmp_path, sinks_external=True))

    with pytest.raises(StackError, match=r"no stack is up in .*none.*`fraudlake up`"):
        act(down, ALERTS_SINK)
    with pytest.raises(SettingsError, match="`docker compose restart alerts-sink`"):
        act(elsewhere, ALERTS_SINK)
    assert not (tmp_path / "none").exists()
