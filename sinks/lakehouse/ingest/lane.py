"""One table's way through the sink: its loader, opened when it can be, and waited for.

What one table waits for is its own affair: while decisions wait for a feature, labels and dead
letters are stored as ever.
"""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING, Protocol

from pipelines.errors import TransientError

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from random import Random

    from sinks.lakehouse.ingest.loader import Loader

_LOG = logging.getLogger(__name__)
LONGEST_WAIT_SECONDS = 15.0
STEADY_SECONDS = 60.0


class Backoff:
    """How long to wait before the next attempt: longer each time, until all was well for long."""

    def __init__(self, rng: Random, clock: Callable[[], float]) -> None:
        self._rng = rng
        self._clock = clock
        self._lost = 0
        self._resumed = clock()

    def next_seconds(self) -> float:
        """The wait that begins now."""
        self._lost = 0 if self._clock() - self._resumed > STEADY_SECONDS else self._lost + 1
        longest = min(LONGEST_WAIT_SECONDS, 0.5 * 2.0 ** min(self._lost, 10))
        seconds = longest * self._rng.uniform(0.5, 1)
        self._resumed = self._clock() + seconds
        return seconds


class OpenLoader(Protocol):
    """Makes a loader at the place where its table ends; what it opens goes on ``opened``."""

    def __call__(self, *, opened: ExitStack, accept_gap: bool) -> Loader:
        """SinkError where going on would lose or repeat records; TransientError to try again."""


class Lane:
    """A loader that is stepped when nothing is in its way; ``close`` it at the end.

    After a TransientError a closed batch is kept and tried again. Otherwise what was read is
    dropped, and another loader reads it again from where the table ends.
    """

    def __init__(
        self,
        name: str,
        *,
        open_loader: OpenLoader,
        accept_gap: bool,
        stop: threading.Event,
        backoff: Backoff,
        clock: Callable[[], float],
    ) -> None:
        self._name = name
        self._open_loader = open_loader
        self._accept_gap = accept_gap
        self._stop = stop
        self._backoff = backoff
        self._clock = clock
        self._opened = ExitStack()
        self._loader: Loader | None = None
        self._until = clock()
        self.is_well = False
        """True if the last step did not meet anything to wait for."""

    def step(self, *, seconds: float) -> int:
        """Load, or wait, for at most ``seconds``; how far the position moved."""
        left = self._until - self._clock()
        if left > 0:
            self._stop.wait(min(seconds, left))
            return 0
        return self._attempt(lambda loader: loader.step(seconds=seconds))

    def grow(self) -> None:
        """Look for new partitions of the topic."""
        if self.is_well:
            self._attempt(lambda loader: loader.grow())

    def finish(self) -> None:
        """Commit what was read, if nothing is in the way; else the next start reads it again."""
        if self._loader is not None:
            self._attempt(lambda loader: loader.finish())

    def close(self) -> None:
        """Give up the loader and what it holds open."""
        self._loader = None
        self._opened.close()

    def _attempt(self, act: Callable[[Loader], int | None]) -> int:
        try:
            moved = act(self._open() if self._loader is None else self._loader)
        except TransientError as error:
            self._rest(error)
            return 0
        self.is_well = True
        return moved or 0

    def _open(self) -> Loader:
        self._loader = self._open_loader(opened=self._opened, accept_gap=self._accept_gap)
        self._accept_gap = False  # it was meant for what is missing now
        return self._loader

    def _rest(self, error: TransientError) -> None:
        if self._loader is None or not self._loader.is_closed:
            self.close()
        seconds = self._backoff.next_seconds()
        self._until = self._clock() + seconds
        self.is_well = False
        _LOG.warning(
            "event=waiting table=%s wait_s=%.1f reason=%r", self._name, seconds, str(error)
        )
