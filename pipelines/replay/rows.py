"""A row of a file, and why one is rejected."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

BAD_ROW = "bad_row"
"""The reason of a row that cannot even be read; all others are those of ``FaultReason``."""


class RowFault(Exception):
    """A row cannot become a transaction; counted and written down by the player."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row as it was found; ``fault`` is set when it could not be read."""

    number: int
    """1 is the first row of data."""
    columns: Mapping[str, Any]
    original: Any
    """What to show to somebody who wants to mend it."""
    fault: RowFault | None = None


def to_plain(value: Any) -> Any:
    """``value`` as JSON can hold it: what JSON does not know becomes text."""
    if isinstance(value, dict):
        return {str(name): to_plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, str | int | float | Decimal) else str(value)
