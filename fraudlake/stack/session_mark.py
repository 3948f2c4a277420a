"""Whether a sink works: it leaves a mark while all it needs answers, for it has no door.

The mark is a file with the process's id: one that a killed sink has left behind does not count.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from pathlib import Path


def set_mark(home: Path, part: str, *, is_open: bool) -> None:
    """Leave the mark of this process, or take it away."""
    path = _path(home, part)
    if is_open:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(os.getpid()), encoding="ascii")
    else:
        path.unlink(missing_ok=True)


def is_marked(home: Path, part: str) -> bool:
    """Whether a living process has left the mark."""
    try:
        text = _path(home, part).read_text(encoding="ascii")
    except FileNotFoundError:
        return False
    return text.isdigit() and psutil.pid_exists(int(text))


def _path(home: Path, part: str) -> Path:
    return home / "sessions" / part
