"""How many bytes a stage remembers of one key, estimated from the kernel's layout.

The layout is that of ``ProfileState.java``; a test compares the estimate with the kernel itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pipelines.features.stage import Stage

TYPICAL_EVENTS = 60
"""Of a card in 30 days: two a day."""
DAY_MS = 86_400_000

_HEADER, _SECTION, _SECTIONS, _NAME = 56, 16, 5, 4
_EDGE, _COUNT, _SUM, _SQUARES, _EXTREMES, _DISTINCT = 4, 4, 8, 16, 16, 4
_TIME, _AMOUNT, _HASH, _ID, _SEEN, _TRANSACTION_ID = 6, 6, 4, 24, 12, 24
_SUMMED, _SQUARED, _EXTREME = {"sum", "mean", "stddev"}, {"stddev"}, {"min", "max"}
_SEEN_VALUES = 20
"""Different merchants, devices or countries of a typical card."""


def bytes_per_key(stage: Stage, events: int = TYPICAL_EVENTS) -> int:
    """For a key with so many events, evenly spread over the stage's longest window."""
    if stage.is_attributes:
        return 9 + 8 * 3
    logged = {item.category for item in stage.features if item.aggregate == "distinct"}
    seen = {item.category for item in stage.features if item.aggregate == "first_seen"}
    fixed = _HEADER + _SECTION * (_SECTIONS + len(seen))
    fixed += _NAME * (len(stage.filters) + len(logged) + len(seen)) + _aggregates(stage)
    flags = 2 if len(stage.filters) > 8 else 1
    records = events * (_TIME + flags + _AMOUNT) if stage.horizon_ms else 0
    horizon = max(stage.horizon_ms, 1)
    values = [item.window_ms for item in stage.features if item.aggregate == "distinct"]
    recent = events * max(values, default=0) / horizon
    records += round(recent * _HASH * len(logged))
    if stage.entity == "card":
        records += round(max(1, events * min(1, DAY_MS / horizon)) * _ID) + _TRANSACTION_ID
        records += _SEEN * len(seen) * _SEEN_VALUES
    return fixed + records


def _aggregates(stage: Stage) -> int:
    """Each window has its edge, and a cell for each filter, as wide as its features ask for."""
    windowed = [item for item in stage.features if item.window_ms]
    cells = {(item.window_ms, item.filter) for item in windowed}
    size = _EDGE * len({item.window_ms for item in windowed})
    for cell in cells:
        own = [item for item in windowed if (item.window_ms, item.filter) == cell]
        wanted = {item.aggregate for item in own}
        size += _COUNT
        size += _SUM * bool(wanted & _SUMMED) + _SQUARES * bool(wanted & _SQUARED)
        size += _EXTREMES * bool(wanted & _EXTREME)
        size += _DISTINCT * len({item.category for item in own if item.aggregate == "distinct"})
    return size
