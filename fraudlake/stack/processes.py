"""The processes of a stack as the system sees them: what belongs to it, what it weighs, its end.

Every process that supervisord starts, and whatever those start, inherits a variable that names the
home. That finds the remains even when supervisord was killed. The variable is not the setting
``FRAUDLAKE_STACK_HOME``: that one may be set in a person's shell, whose programs are not ours.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

MARKER = "FRAUDLAKE_SUPERVISED"


def find_processes(home: Path) -> list[psutil.Process]:
    """Every process of the stack in ``home``, except this one and those it runs in."""
    me = psutil.Process(os.getpid())
    ours = {me.pid, *(parent.pid for parent in me.parents())}
    found = []
    for process in psutil.process_iter():
        if process.pid in ours:
            continue
        with contextlib.suppress(psutil.Error, OSError):
            if process.environ().get(MARKER) == str(home):
                found.append(process)
    return found


def end_processes(processes: Sequence[psutil.Process], *, patience_seconds: float) -> list[int]:
    """Ask all to end, then kill what is left; the ids of those that ran."""
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, left = psutil.wait_procs(list(processes), timeout=patience_seconds)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(left, timeout=patience_seconds)
    return [process.pid for process in processes]


def memory_bytes(pid: int, *, descendants: bool = True) -> int:
    """The resident memory of a process and all its descendants; 0 if it is gone."""
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for member in (process, *(process.children(recursive=True) if descendants else ())):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += member.memory_info().rss
    return total
