"""One change of the alert indices at a time, on this machine."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from pipelines.errors import TransientError
from pipelines.file_lock import hold_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings

LOCK_FILE = "alert-indices.lock"


@contextmanager
def hold_indices(settings: Settings) -> Iterator[None]:
    """What one of them clears away, another may be writing; TransientError if one is under way."""
    path = settings.stack.home / LOCK_FILE

    def refuse() -> TransientError:
        msg = f"the alert indices are being changed by another command: wait ({path} is held)"
        return TransientError(msg)

    with hold_file(path, wait_seconds=0, refuse=refuse):
        yield
