"""Lets a long-running command end in order when it is interrupted or asked to end."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


def interrupt_on_ending() -> None:
    """From here on SIGTERM and SIGHUP (a closed terminal) end the process like Ctrl-C.

    What was started can then be stopped again on the way out.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, interrupt)


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
