"""The stack's home: where each server keeps its data, and what is written down about the run."""

from __future__ import annotations

import hashlib
import os
import tempfile
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import SettingsError, StackError
from pipelines.file_lock import hold_file
from pipelines.settings import ENDPOINTS_FILE
from pipelines.whole_file import write_whole

if TYPE_CHECKING:
    from collections.abc import Iterator

Endpoints = dict[str, dict[str, str | list[str]]]

# A socket's path may have 104 bytes on macOS; supervisord adds its process id while it binds.
SOCKET_LIMIT = 104 - len(".4194304") - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """The folder of one stack. Several stacks with homes of their own can run side by side."""

    path: Path

    @property
    def endpoints(self) -> Path:
        """The addresses chosen by ``fraudlake up``; exists while the stack is up."""
        return self.path / ENDPOINTS_FILE

    @property
    def supervisor_conf(self) -> Path:
        return self.path / "supervisord.conf"

    @property
    def supervisor_log(self) -> Path:
        return self.logs / "supervisord.log"

    @property
    def supervisor_pid(self) -> Path:
        return self.path / "supervisord.pid"

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def key(self) -> str:
        """A short name for this home, for places outside of it."""
        return hashlib.sha256(os.fsencode(self.path)).hexdigest()[:12]

    @property
    def socket(self) -> Path:
        """Supervisord's socket: in the home, or in a short private folder if that is too deep."""
        inside = self.path / "supervisor.sock"
        if len(os.fsencode(inside)) <= SOCKET_LIMIT:
            return inside
        return Path(tempfile.gettempdir()) / f"fraudlake-{os.geteuid()}-{self.key}" / "s.sock"

    def log(self, part: str) -> Path:
        """Where the output of one part goes."""
        return self.logs / f"{part}.log"

    def make(self) -> None:
        """Create the folders. The one of the socket is for its owner alone."""
        if "%" in str(self.path):
            msg = f"stack.home={self.path}: supervisord cannot handle a % there. Choose another"
            raise SettingsError(msg)
        self.logs.mkdir(parents=True, exist_ok=True)
        folder = self.socket.parent
        if folder != self.path:
            folder.mkdir(mode=0o700, exist_ok=True)
            state = folder.lstat()
            if state.st_uid != os.geteuid() or state.st_mode & 0o077:
                msg = f"{folder} belongs to another user or is open to others. Remove it"
                raise StackError(msg)

    def forget(self) -> None:
        """Remove what is only true while the stack is up."""
        for file in (self.endpoints, self.socket, self.supervisor_pid):
            file.unlink(missing_ok=True)
        if self.socket.parent != self.path and self.socket.parent.is_dir():
            self.socket.parent.rmdir()

    def write_endpoints(self, values: Endpoints) -> None:
        """Write the addresses for ``pipelines.settings`` in one step."""
        lines: list[str] = ["# Written by `fraudlake up`, removed by `fraudlake down`."]
        for section, table in values.items():
            lines += ["", f"[{section}]"]
            lines += [f"{name} = {_toml(value)}" for name, value in table.items()]
        write_whole(self.endpoints, "\n".join(lines) + "\n")

    def read_endpoints(self) -> Endpoints:
        """What ``write_endpoints`` wrote; empty while the stack is down."""
        if not self.endpoints.is_file():
            return {}
        return tomllib.loads(self.endpoints.read_text(encoding="utf-8"))

    @contextmanager
    def lock(self, *, wait_seconds: float) -> Iterator[None]:
        """Hold the home against a second ``up`` or ``down``; freed by the system if we die."""
        refusal = StackError(
            f"another `fraudlake up` or `fraudlake down` is at work in {self.path}. "
            "Wait until it ends, or stop it with Ctrl-C"
        )
        with hold_file(self.path / ".lock", wait_seconds=wait_seconds, refuse=lambda: refusal):
            yield


def _toml(value: str | list[str]) -> str:
    if isinstance(value, list):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
