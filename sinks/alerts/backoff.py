"""How long to wait before trying again: twice as long each time, spread by chance."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

FIRST_SECONDS = 0.2
LONGEST_SECONDS = 15.0


class Backoff:
    """A series of waits that grows until ``reset``.

    Each wait lies between half of the step and the whole of it, so that sinks which failed
    together do not come back together.
    """

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self.attempts = 0

    def next_seconds(self) -> float:
        """The next wait."""
        step = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(self.attempts, 16))
        self.attempts += 1
        return step * self._rng.uniform(0.5, 1.0)

    def reset(self) -> None:
        """Something worked: begin small again."""
        self.attempts = 0
