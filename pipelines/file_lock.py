"""One at a time: a lock on a file, freed by the system when its holder dies."""

from __future__ import annotations

import fcntl
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pipelines.errors import FraudlakeError

POLL_SECONDS = 0.1


@contextmanager
def hold_file(
    path: Path, *, wait_seconds: float, refuse: Callable[[], FraudlakeError]
) -> Iterator[None]:
    """Be the only holder of ``path``; the error that ``refuse`` makes if another does not end."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        deadline = time.monotonic() + wait_seconds
        while not _try_lock(file.fileno()):
            if time.monotonic() > deadline:
                raise refuse()
            time.sleep(POLL_SECONDS)
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
