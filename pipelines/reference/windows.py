"""The aggregates of windows, worked out anew from the stored events."""

from __future__ import annotations

import math
import statistics
from fractions import Fraction
from typing import TYPE_CHECKING

from pipelines.expressions.interpret import fires
from pipelines.features import READ_VALUES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.expressions.interpret import Value
    from pipelines.features import Feature, Stage
    from pipelines.reference.event import Event

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
MOST_SCANNED = 100


def windowed(
    feature: Feature, event: Event, history: Sequence[Event], stage: Stage
) -> float | None:
    stored = _stored(history, stage.horizon_ms)
    newest = max((earlier.time for earlier in history), default=event.time)
    counted = [
        earlier for earlier in stored if event.time - feature.window_ms < earlier.time <= event.time
    ]
    if not feature.excludes_current:
        counted.append(event)
    if feature.filter is not None:
        (which,) = [item for item in stage.filters if item.name == feature.filter]
        counted = [item for item in counted if fires(which.condition, item.row)]
    match feature.aggregate:
        case "distinct" | "category_mean":
            return _of_values(feature, event, counted, newest, stage)
        case "rate":
            return float(Fraction(len(counted) * HOUR_MS, feature.window_ms))
        case "p95":
            return _percentile_95([item.minor for item in counted[-MOST_SCANNED:]])
        case "robust_z":
            return _robust_z(event.minor, [item.minor for item in counted[-MOST_SCANNED:]])
        case "time_of_day_share":
            return _time_of_day_share(event, counted[-MOST_SCANNED:])
    return _aggregate(feature.aggregate, [item.minor for item in counted])


def _stored(history: Sequence[Event], horizon_ms: int) -> list[Event]:
    if not history:
        return []
    newest = max(event.time for event in history)
    recent = [event for event in history if event.time > newest - horizon_ms]
    return sorted(recent, key=lambda event: event.time)


def _of_values(
    feature: Feature, event: Event, counted: Sequence[Event], newest: int, stage: Stage
) -> float | None:
    """NULL for one that comes so late that no value of its time is stored."""
    windows = [
        item.window_ms
        for item in stage.features
        if item.aggregate in READ_VALUES and item.category == feature.category
    ]
    if event.time <= newest - max(windows):
        return None
    known = [item for item in counted if item is event or item.time > newest - max(windows)]
    values = [_value(item, str(feature.category)) for item in known]
    if feature.aggregate == "distinct":
        return float(len(set(values) - {None}))
    own = _value(event, str(feature.category))
    same = [item.minor for item, value in zip(known, values, strict=True) if value == own]
    return None if own is None else _aggregate("mean", same[-MOST_SCANNED:])


def _value(event: Event, category: str) -> Value:
    if category in ("card_id", "customer_id"):
        return str(getattr(event.arrival.transaction, category))
    return event.row[category]


def _percentile_95(minors: Sequence[int]) -> float | None:
    """The smallest amount that 95 in 100 do not exceed.

    >>> _percentile_95(range(100, 2100, 100)), _percentile_95(range(100, 2200, 100))
    (19.0, 20.0)
    """
    enough = math.ceil(Fraction(95 * len(minors), 100))
    reached = [minor for minor in minors if sum(other <= minor for other in minors) >= enough]
    return min(reached) / 100 if reached else None


def _robust_z(minor: int, minors: Sequence[int]) -> float | None:
    """By the median, and the median of the deviations from it, which outliers do not move.

    >>> round(_robust_z(900, [100, 200, 300, 400, 2000]) * 1.4826, 9)
    6.0
    """
    if not minors:
        return None
    median = statistics.median([Fraction(other) for other in minors])
    deviation = statistics.median([abs(other - median) for other in minors])
    return None if deviation == 0 else float((minor - median) / deviation) / 1.4826


def _time_of_day_share(event: Event, counted: Sequence[Event]) -> float | None:
    """Of the transactions counted, those at most two hours of the clock (UTC) from this one."""
    apart = [abs(earlier.time % DAY_MS - event.time % DAY_MS) for earlier in counted]
    near = sum(min(ms, DAY_MS - ms) <= 2 * HOUR_MS for ms in apart)
    return near / len(counted) if counted else None


def _aggregate(aggregate: str, minors: Sequence[int]) -> float | None:
    """Over amounts in minor units, exactly, then in major units.

    >>> _aggregate("sum", [1050, 250]), _aggregate("mean", [100, 101]), _aggregate("max", [])
    (13.0, 1.005, None)
    """
    if aggregate == "count":
        return float(len(minors))
    if aggregate == "sum":
        return sum(minors) / 100
    if len(minors) < (2 if aggregate == "stddev" else 1):
        return None
    if aggregate == "mean":
        return float(Fraction(sum(minors), len(minors) * 100))
    if aggregate == "stddev":
        return float(statistics.stdev([Fraction(minor, 100) for minor in minors]))
    return (min(minors) if aggregate == "min" else max(minors)) / 100
