"""Keeps a stream on schedule: each record has its moment, and being late once moves no other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(slots=True, kw_only=True)
class Pace:
    """Maps logical time to a clock on the wall.

    ``speed`` is logical seconds for one second on the wall; None is as fast as possible. ``clock``
    gives seconds and never goes back. The schedule is fixed by ``start_at``, or else by the first
    call.
    """

    speed: float | None
    clock: Callable[[], float]
    _first_ms: int | None = None
    _moment: float = 0.0

    def start_at(self, first_ms: int, moment: float) -> None:
        """Logical time ``first_ms`` is ``moment`` on the clock."""
        self._first_ms, self._moment = first_ms, moment

    def seconds_until(self, at_ms: int) -> float:
        """How long to wait for ``at_ms``; 0 when it has passed."""
        if self.speed is None:
            return 0.0
        if self._first_ms is None:
            self.start_at(at_ms, self.clock())
            return 0.0
        due = self._moment + (at_ms - self._first_ms) / 1000 / self.speed
        return max(0.0, due - self.clock())


def parse_speed(text: str) -> float | None:
    """``10x`` or ``0.5x`` as a number, ``max`` as None; ValueError for anything else.

    >>> parse_speed("10x"), parse_speed("1"), parse_speed("max")
    (10.0, 1.0, None)
    """
    if text == "max":
        return None
    try:
        speed = float(text.removesuffix("x"))
    except ValueError:
        speed = 0.0
    if not 0 < speed < 1e9:
        msg = f"speed {text!r} - must be max, or a number such as 1x, 10x or 0.5x"
        raise ValueError(msg)
    return speed


_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


def parse_span(text: str) -> int:
    """A length of time such as ``30s``, ``5m``, ``1.5h`` or ``2d`` in milliseconds.

    >>> parse_span("1.5h"), parse_span("250ms"), parse_span("0s")
    (5400000, 250, 0)
    """
    number = text.rstrip("dhms")
    unit = text[len(number) :]
    try:
        amount = float(number)
    except ValueError:
        amount = -1.0
    if unit not in _UNITS_MS or not 0 <= amount < 1e9:
        msg = f"{text!r} - must be a number with a unit: 250ms, 30s, 5m, 1.5h or 2d"
        raise ValueError(msg)
    return round(amount * _UNITS_MS[unit])
