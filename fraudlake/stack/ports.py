"""Choosing ports on the loopback: the preferred one if it is free, else another."""

from __future__ import annotations

import random
import re
import socket
from typing import TYPE_CHECKING

import psutil

from pipelines.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LOOPBACK = "127.0.0.1"
_HIGHEST = 65_535
# Below the range from which Linux takes the ports of outgoing connections (from 32768).
_SPARE = range(20000, 32000)
_TRIES = 200


def choose_ports(
    preferred: Mapping[str, int],
    *,
    strict: bool,
    is_free: Callable[[int], bool] | None = None,
    source: random.Random | None = None,
) -> dict[str, int]:
    """A free port for each name, no port twice.

    A preference of 0 stands for any. With ``strict`` a preferred port that is taken is a
    StackError, which names the setting and the process that holds the port. A port can still be
    taken between this and the server's start; the server then ends at once, and its log says so.
    """
    free = port_is_free if is_free is None else is_free
    dice = random.Random() if source is None else source
    chosen: dict[str, int] = {}
    for name, port in preferred.items():
        if not 0 <= port <= _HIGHEST:
            msg = f"{_setting(name)}={port} is no port: 1 to {_HIGHEST}, or 0 for any"
            raise StackError(msg)
    for name, port in preferred.items():
        if port != 0 and port not in chosen.values() and free(port):
            chosen[name] = port
        elif strict and port != 0:
            msg = (
                f"port {port} ({name}) is taken by {describe_holder(port)}. Stop that, set "
                f"{_setting(name)} to another port, or allow any free port with "
                "FRAUDLAKE_STACK_STRICT_PORTS=false"
            )
            raise StackError(msg)
        else:
            chosen[name] = _spare(set(chosen.values()) | set(preferred.values()), free, dice)
    return chosen


def port_is_free(port: int) -> bool:
    """Whether a server could listen on the port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As the servers do: a port whose last connections are still closing counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    # macOS lets one bind beside a listener on all addresses; a connection finds that one.
    return not port_answers(port)


def port_answers(port: int, host: str = LOOPBACK) -> bool:
    """Whether something listens on the port."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((host, port)) == 0


def describe_holder(port: int) -> str:
    """The process that listens on the port, in words, as far as this user may see it."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.AccessDenied:
        return "another process"
    for connection in connections:
        listens = connection.status == psutil.CONN_LISTEN and connection.laddr[1:] == (port,)
        if listens and connection.pid is not None:
            try:
                return f"{psutil.Process(connection.pid).name()} (process {connection.pid})"
            except psutil.Error:
                break
    return "another process"


def _setting(name: str) -> str:
    """The variable that decides a port; those of further TaskManagers follow the first one's.

    >>> _setting("taskmanager_2_metrics_port")
    'FRAUDLAKE_STACK_TASKMANAGER_METRICS_PORT'
    """
    return f"FRAUDLAKE_STACK_{re.sub(r'_[0-9]+_', '_', name).upper()}"


def _spare(taken: set[int], free: Callable[[int], bool], dice: random.Random) -> int:
    for _ in range(_TRIES):
        port = dice.choice(_SPARE)
        if port not in taken and free(port):
            return port
    msg = f"no free port between {_SPARE.start} and {_SPARE.stop}"
    raise StackError(msg)
