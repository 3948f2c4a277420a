"""Who hears what happens to the stack while it starts and stops."""

from __future__ import annotations

from typing import Literal, Protocol

Step = Literal["preparing", "starting", "ready", "already runs", "changed", "stopping", "stopped"]


class Observer(Protocol):
    """Hears what happens to each part, as it happens."""

    def report(self, part: str, step: Step) -> None:
        """``part`` has come to ``step``."""


class Silent:
    """Hears and says nothing."""

    def report(self, part: str, step: Step) -> None:
        return None
