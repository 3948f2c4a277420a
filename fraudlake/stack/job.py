"""The job as a part of the stack: submitted once all servers answer, then kept by Flink."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fraudlake.stack.processes import MARKER
from fraudlake.stack.readiness import read_job

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.settings import Settings


def submit_if_missing(settings: Settings) -> bool:
    """Submit the job unless Flink works on one of its name; whether it was submitted."""
    from fraudlake.deployment import submit_job

    running = read_job(settings)
    if running is not None and running.is_alive:
        return False
    with _marked(settings.stack.home):
        submit_job(settings)
    return True


@contextmanager
def _marked(home: Path) -> Iterator[None]:
    """Mark what the submission starts as part of the stack, in case this process is killed."""
    os.environ[MARKER] = str(home)
    try:
        yield
    finally:
        del os.environ[MARKER]
