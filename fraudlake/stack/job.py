"""The job as a part of the stack: submitted once all servers answer, then kept by the keeper."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fraudlake.stack.processes import MARKER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pipelines.settings import Settings


def submit_if_missing(settings: Settings) -> bool:
    """Submit the job unless Flink works on one of its name; whether it was submitted."""
    from fraudlake.job import start

    with _marked(settings.stack.home):
        return start.submit_if_missing(settings) is not None


@contextmanager
def _marked(home: Path) -> Iterator[None]:
    """Mark what the submission starts as part of the stack, in case this process is killed."""
    os.environ[MARKER] = str(home)
    try:
        yield
    finally:
        del os.environ[MARKER]
