"""What one tick of the watch hands to the next: a small JSON object with a version."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Cursor:
    """The last tick, as far as the next one needs it. Times are seconds since 1970."""

    at: float | None = None
    ends: Mapping[str, int] = field(default_factory=dict)
    """Offsets of each topic, summed."""
    alerts: int | None = None
    """Documents in the index."""
    outcomes: Mapping[str, tuple[str, float]] = field(default_factory=dict)
    """What each check found last, and when that was reported."""
    absent_since: float | None = None
    """When the deployed job was first found unknown to Flink."""
    repaired: str | None = None
    """The incident for which a repair was asked last."""
    repairs: tuple[float, ...] = ()
    """When repairs were asked for, within the last hour."""

    def to_json(self) -> str:
        """As the sensor stores it."""
        return json.dumps({"version": VERSION, **asdict(self)}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str | None) -> Cursor:
        """The cursor of the tick before; an empty one at the first, or after a change of layout."""
        members = {} if text is None else json.loads(text)
        if members.pop("version", None) != VERSION:
            return cls()
        members["repairs"] = tuple(members["repairs"])
        members["outcomes"] = {name: tuple(one) for name, one in members["outcomes"].items()}
        return cls(**members)
