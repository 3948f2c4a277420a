"""Removing what a stopped stack has stored."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from fraudlake.stack.elasticsearch import SHARED_DATA
from fraudlake.stack.home import Home
from fraudlake.stack.processes import find_processes
from pipelines.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.settings import Settings

# Only what the stack itself makes: a home may have been set to a folder that holds more.
FOLDERS = ("kafka", "flink", "elasticsearch", "lakehouse", "dagster", "rules", "logs")
FILES = ("supervisord.conf", ".lock")


def purge_stack(settings: Settings) -> list[Path]:
    """Delete data and logs of the stack; what was deleted. Refused while any of it runs."""
    home = Home(path=settings.stack.home.resolve())
    if find_processes(home.path):
        msg = f"the stack in {home.path} still runs. Stop it first: `fraudlake down`"
        raise StackError(msg)
    doomed = [home.path / name for name in (*FOLDERS, *FILES)]
    doomed.append(SHARED_DATA / home.key)
    deleted = [path for path in doomed if _delete(path)]
    if home.path.is_dir() and not any(home.path.iterdir()):
        home.path.rmdir()
    return deleted


def _delete(path: Path) -> bool:
    if path.is_symlink() or path.is_file():
        path.unlink()
        return True
    if path.is_dir():
        shutil.rmtree(path)
        return True
    return False
