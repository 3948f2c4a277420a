"""supervisord: its configuration, its start, and what it says about each program.

One supervisord per home keeps the programs running: one that ends is started again, at once the
first time and then after 1, 2, 3 … seconds. It listens on a Unix socket that only its owner may
use, and none of its programs starts before it is told to.
"""

from __future__ import annotations

import http.client
import os
import re
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast
from xml.parsers.expat import ExpatError

from supervisor.xmlrpc import SupervisorTransport

from fraudlake.stack.processes import MARKER
from pipelines.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from fraudlake.stack.home import Home
    from fraudlake.stack.program import Program

State = Literal[
    "STOPPED", "STARTING", "RUNNING", "BACKOFF", "STOPPING", "EXITED", "FATAL", "UNKNOWN"
]
START_SECONDS = 30
# Retries before supervisord gives a program up; the n-th one waits n seconds, so about an hour.
RETRIES = 85


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramState:
    """What supervisord knows of one program."""

    state: State
    pid: int | None
    uptime_seconds: int
    was_started: bool


def render_conf(home: Home, programs: Sequence[Program]) -> str:
    """``supervisord.conf``; holds no secret, because those come by the environment."""
    lines = [
        "; Written by `fraudlake up`.",
        "[supervisord]",
        f"logfile = {_text(home.supervisor_log)}",
        "logfile_maxbytes = 5MB",
        "logfile_backups = 1",
        f"pidfile = {_text(home.supervisor_pid)}",
        f"childlogdir = {_text(home.logs)}",
        "identifier = fraudlake",
    ]
    if os.geteuid() == 0:
        lines.append("user = root")
    lines += [
        "",
        "[unix_http_server]",
        f"file = {_text(home.socket)}",
        "chmod = 0700",
        "",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface",
    ]
    for program in programs:
        lines += ["", *_render_program(home, program)]
    return "\n".join(lines) + "\n"


def _render_program(home: Home, program: Program) -> list[str]:
    lines = [
        f"[program:{program.name}]",
        f"command = {_text(shlex.join(program.command))}",
        f"directory = {_text(program.directory)}",
        f"priority = {program.priority}",
        "autostart = false",
        "autorestart = true",
        f"startsecs = {program.steady_seconds}",
        f"startretries = {RETRIES}",
        f"stopwaitsecs = {program.stop_seconds}",
        "stopasgroup = true",
        "killasgroup = true",
        "redirect_stderr = true",
        f"stdout_logfile = {_text(home.log(program.name))}",
        "stdout_logfile_maxbytes = 10MB",
        "stdout_logfile_backups = 2",
    ]
    if program.user is not None:
        lines.append(f"user = {program.user}")
    if program.environment:
        pairs = [f'{name}="{_quoted(value)}"' for name, value in program.environment.items()]
        lines.append(f"environment = {','.join(pairs)}")
    return lines


def _text(value: object) -> str:
    return str(value).replace("%", "%%")


def _quoted(value: str) -> str:
    if '"' in value or "\n" in value:
        msg = f"{value!r} - a path with a quotation mark or a line end cannot be used"
        raise StackError(msg)
    return _text(value)


class Supervisor:
    """The supervisord of one home, running or not."""

    def __init__(self, home: Home) -> None:
        self._home = home

    def start(self, programs: Sequence[Program], environ: Mapping[str, str]) -> None:
        """Write the configuration and start supervisord in a session of its own."""
        conf = self._home.supervisor_conf
        conf.write_text(render_conf(self._home, programs), encoding="utf-8")
        for program in programs:  # supervisord checks that log and working folders exist
            program.directory.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-P", "-m", "supervisor.supervisord", "-c", str(conf)]
        marked = {**environ, MARKER: str(self._home.path)}
        done = subprocess.run(
            command, env=marked, capture_output=True, text=True, timeout=START_SECONDS, check=False
        )
        deadline = time.monotonic() + START_SECONDS
        while done.returncode == 0 and time.monotonic() < deadline:
            if self.is_running():
                return
            time.sleep(0.05)
        said = (done.stderr or done.stdout).strip()
        # It may go on to list the whole environment, and secrets come by the environment.
        msg = f"supervisord did not start: {re.split('ENV_|[{]', said)[0][:300]}"
        raise StackError(msg)

    def is_running(self) -> bool:
        """Whether it answers on its socket."""
        try:
            self._call("getState")
        except StackError:
            return False
        return True

    def pid(self) -> int:
        """Its process id."""
        return cast("int", self._call("getPID"))

    def states(self) -> dict[str, ProgramState]:
        """Every program of the configuration it runs with."""
        found = cast("list[dict[str, Any]]", self._call("getAllProcessInfo"))
        return {
            str(info["name"]): ProgramState(
                state=info["statename"],
                pid=info["pid"] or None,
                uptime_seconds=max(0, info["now"] - info["start"]) if info["pid"] else 0,
                was_started=info["start"] > 0,
            )
            for info in found
        }

    def launch(self, name: str) -> None:
        """Start one program; returns at once."""
        self._call("startProcess", name, False)

    def halt(self, name: str) -> None:
        """Ask one program to end; returns at once."""
        try:
            self._call("stopProcess", name, False)
        except xmlrpc.client.Fault:
            return  # it has ended by itself meanwhile

    def shut_down(self) -> None:
        """Ask supervisord to stop what still runs and to end."""
        self._call("shutdown")

    def read_exits(self) -> dict[str, list[str]]:
        """How each program ended by itself since supervisord started, oldest first.

        Such as "exit status 1" or "terminated by SIGKILL". From its log: it keeps no such history.
        """
        log = self._home.supervisor_log
        text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
        return parse_exits(text)

    def _call(self, method: str, *arguments: object) -> object:
        transport = SupervisorTransport(None, None, serverurl=f"unix://{self._home.socket}")
        try:
            proxy = xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)
            return getattr(proxy.supervisor, method)(*arguments)
        except (
            OSError,
            http.client.HTTPException,
            ExpatError,
            xmlrpc.client.ProtocolError,
        ) as error:
            msg = f"the supervisord of {self._home.path} does not answer. Run `fraudlake down`"
            raise StackError(msg) from error
        finally:
            transport.close()


def parse_exits(log: str) -> dict[str, list[str]]:
    """The unasked ends in supervisord's log since its last start.

    >>> parse_exits("1 INFO exited: kafka (exit status 1; not expected)")
    {'kafka': ['exit status 1']}
    """
    current = log.rpartition("supervisord started with pid")[2]
    exits: dict[str, list[str]] = {}
    for name, how in re.findall(r" exited: (\S+) \(([^;)]+)", current):
        exits.setdefault(name, []).append(how)
    return exits
