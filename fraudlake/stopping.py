"""Lets a long-running command end in order when it is interrupted."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


@contextlib.contextmanager
def stop_on_signal() -> Iterator[Callable[[], bool]]:
    """Within the block, the first SIGINT or SIGTERM makes the yielded function return True.

    A second one interrupts as usual, for somebody who does not want to wait.
    """
    asked = False

    def ask(number: int, _: FrameType | None) -> None:
        nonlocal asked
        asked = True
        signal.signal(number, before[number])

    before = {int(each): signal.signal(each, ask) for each in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
