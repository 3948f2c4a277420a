"""Which fields of the index a panel needs, and what it needs them for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Json = dict[str, object]
"""An object as it is written to JSON."""

Need = Literal["terms", "number", "date", "search", "show"]
"""To be grouped by, computed with, a time axis, in a query, or merely shown."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class FieldUse:
    """One field, and what for."""

    name: str
    need: Need
