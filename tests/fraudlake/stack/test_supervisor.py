"""supervisord, the real one, with small programs in place of the servers."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

import psutil
import pytest

from fraudlake.stack.home import Home
from fraudlake.stack.processes import end_processes, find_processes, memory_bytes
from fraudlake.stack.program import Program
from fraudlake.stack.supervisor import Supervisor, parse_exits, render_conf
from pipelines.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# It has a child of its own, as the launchers of Flink and Elasticsearch do.
SERVER = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(f"up {child.pid}", flush=True)
time.sleep(600)
"""


def until(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "not within its time"
        time.sleep(0.02)


def a_program(home: Home, name: str, code: str, **options: object) -> Program:
    script = home.path / f"{name}.py"
    script.write_text(code)
    command = (sys.executable, str(script))
    return Program(
        name=name,
        command=command,
        priority=1,
        directory=home.path,
        steady_seconds=0,
        **options,  # type: ignore[arg-type]
    )


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    place = Home(path=tmp_path / "home with a blank")
    place.make()
    yield place
    end_processes(find_processes(place.path), patience_seconds=0.1)


@pytest.fixture
def supervisor(home: Home) -> Supervisor:
    programs = [
        a_program(home, "server", SERVER, environment={"WORD": "100% of, it"}),
        a_program(home, "liar", "import sys; print('no room'); sys.exit(7)"),
    ]
    found = Supervisor(home)
    found.start(programs, {**os.environ, "FRAUDLAKE_ELASTICSEARCH_PASSWORD": "s3cret"})
    return found


def test_programs_wait_to_be_told_and_what_they_start_is_found(
    supervisor: Supervisor, home: Home
) -> None:
    assert supervisor.states()["server"].state == "STOPPED"
    supervisor.launch("server")
    # The log is copied as it comes: only a whole line is the word.
    until(lambda: home.log("server").is_file() and "\n" in home.log("server").read_text())
    state = supervisor.states()["server"]
    assert state.state == "RUNNING"
    assert state.pid is not None
    assert psutil.Process(state.pid).environ()["WORD"] == "100% of, it"
    child = int(home.log("server").read_text().split()[1])
    found = {process.pid for process in find_processes(home.path)}
    assert {supervisor.pid(), state.pid, child} <= found
    assert memory_bytes(state.pid) > memory_bytes(state.pid, descendants=False) > 1_000_000


def test_killed_program_is_started_again_and_counted(supervisor: Supervisor) -> None:
    supervisor.launch("server")
    until(lambda: supervisor.states()["server"].state == "RUNNING")
    first = supervisor.states()["server"].pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    until(lambda: supervisor.states()["server"].pid not in (None, first))
    assert supervisor.read_exits() == {"server": ["terminated by SIGKILL"]}


def test_program_that_ends_says_how(supervisor: Supervisor, home: Home) -> None:
    supervisor.launch("liar")
    until(lambda: "liar" in supervisor.read_exits())
    assert supervisor.read_exits()["liar"][0] == "exit status 7"
    assert "no room" in home.log("liar").read_text()


def test_shut_down_ends_everything(supervisor: Supervisor, home: Home) -> None:
    supervisor.launch("server")
    until(lambda: len(find_processes(home.path)) == 3)
    supervisor.halt("server")
    until(lambda: supervisor.states()["server"].state == "STOPPED")
    # It asks the whole group to end and waits for the first process of it only.
    until(lambda: [process.pid for process in find_processes(home.path)] == [supervisor.pid()])
    supervisor.shut_down()
    until(lambda: find_processes(home.path) == [])
    assert not supervisor.is_running()
    with pytest.raises(StackError, match="does not answer"):
        supervisor.states()


def test_remains_of_a_killed_supervisor_are_found_and_ended(
    supervisor: Supervisor, home: Home
) -> None:
    supervisor.launch("server")
    until(lambda: len(find_processes(home.path)) == 3)
    os.kill(supervisor.pid(), signal.SIGKILL)
    until(lambda: not supervisor.is_running())
    remains = find_processes(home.path)
    assert len(remains) == 2
    assert find_processes(home.path.parent) == []  # another home's are left alone
    end_processes(remains, patience_seconds=5)
    assert find_processes(home.path) == []


def test_socket_and_files_keep_secrets(supervisor: Supervisor, home: Home) -> None:
    assert supervisor.is_running()
    assert home.socket.stat().st_mode & 0o777 == 0o700
    for file in (home.supervisor_conf, home.supervisor_log):
        assert "s3cret" not in file.read_text()


def test_value_that_would_break_the_file_is_refused(home: Home) -> None:
    broken = a_program(home, "x", "", environment={"A": 'say "hi"'})
    with pytest.raises(StackError, match="quotation mark"):
        render_conf(home, [broken])


def test_exits_before_the_last_start_do_not_count() -> None:
    log = """
1 INFO supervisord started with pid 1
2 WARN exited: kafka (exit status 1; not expected)
3 INFO supervisord started with pid 2
4 WARN exited: kafka (terminated by SIGKILL; not expected)
5 INFO exited: alerts-sink (exit status 0; expected)
6 INFO stopped: elasticsearch (exit status 143)
"""
    assert parse_exits(log) == {
        "kafka": ["terminated by SIGKILL"],
        "alerts-sink": ["exit status 0"],
    }
