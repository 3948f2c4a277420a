"""How many bytes a stage remembers of one key, estimated from the kernel's layout.

The layout is that of ``ProfileState.java``; a test compares the estimate with the kernel itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.features.stage import READ_VALUES

if TYPE_CHECKING:
    from pipelines.features.stage import Stage

TYPICAL_EVENTS = 60
"""Of a card in 30 days: two a day."""
DAY_MS = 86_400_000
SPAN_MS = 30 * DAY_MS

_HEADER, _SECTION, _SECTIONS, _NAME = 60, 16, 4, 4
_EDGE, _COUNT, _SUM, _SQUARES, _EXTREMES, _DISTINCT = 4, 4, 8, 16, 16, 4
_TIME, _AMOUNT, _HASH, _ID, _SEEN, _TRANSACTION_ID = 6, 6, 4, 24, 10, 24
_RUNNING = {"count", "sum", "mean", "stddev", "min", "max", "rate", "distinct"}
_SUMMED, _SQUARED, _EXTREME = {"sum", "mean", "stddev"}, {"stddev"}, {"min", "max"}
_SEEN_VALUES = {"merchant_id": 20}
_FEW_VALUES = 3
"""Different values that a typical card uses: 20 merchants, of anything else a few."""
_FRAUDS_HEADER, _DAY = 20, 12


def bytes_per_key(stage: Stage, events: int = TYPICAL_EVENTS) -> int:
    """For a key with so many events, evenly spread over 30 days, or over a longer window."""
    if stage.is_attributes:
        return 2 + 9 + 8 * 3  # one version of three fields; the kernel keeps up to four
    span = max(stage.horizon_ms, SPAN_MS)
    reading = [item for item in stage.features if item.aggregate in READ_VALUES]
    logged = {item.category for item in reading}
    seen = {item.category for item in stage.features if item.aggregate == "first_seen"}
    size = _HEADER + _SECTION * (_SECTIONS + len(logged) + len(seen))
    size += _NAME * (len(stage.filters) + len(logged) + len(seen)) + _aggregates(stage)
    flags = 2 if len(stage.filters) > 8 else 1
    size += round(events * stage.horizon_ms / span) * (_TIME + flags + _AMOUNT)
    for category in logged:
        longest = max(item.window_ms for item in reading if item.category == category)
        size += round(events * longest / span) * _HASH
    if stage.entity == "card":
        size += max(1, round(events * DAY_MS / span)) * _ID + _TRANSACTION_ID
        size += _SEEN * sum(_SEEN_VALUES.get(str(category), _FEW_VALUES) for category in seen)
    return size + _frauds(stage, events)


def _frauds(stage: Stage, events: int) -> int:
    """Days with their counts, where labels are asked for."""
    if not stage.has_labels:
        return 0
    days = stage.labels_ms // DAY_MS + 1
    return _FRAUDS_HEADER + _DAY * min(days, round(events * days * DAY_MS / SPAN_MS))


def _aggregates(stage: Stage) -> int:
    """Each window has its edge, and a cell for each filter, as wide as its features ask for."""
    windowed = [item for item in stage.features if item.aggregate in _RUNNING]
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
