"""What a card did before: values first seen, the time since, and where it travelled from."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from pipelines.reference.event import is_late

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.expressions.interpret import Value
    from pipelines.features import Feature
    from pipelines.reference.event import Event

VALUE_MEMORY_MS, MOST_VALUES = 90 * 86_400_000, 128
EARTH_RADIUS_KM = 6371.0088
SHORTEST_GAP_MS = 60_000


def of_all_time(feature: Feature, event: Event, history: Sequence[Event]) -> float | None:
    """A feature without a window."""
    if feature.aggregate == "first_seen":
        return _first_seen(feature, event, history)
    if feature.aggregate == "since_last_min":
        return _since_last(event, history)
    return _travel(feature, event, history)


def _first_seen(feature: Feature, event: Event, history: Sequence[Event]) -> float | None:
    category = str(feature.category)
    if event.row[category] is None:
        return None
    known: dict[Value, int] = {}
    for earlier in [*history, event]:
        value = earlier.row[category]
        if value is None:
            continue
        horizon = earlier.newest - VALUE_MEMORY_MS
        known = {known_value: seen for known_value, seen in known.items() if seen > horizon}
        if earlier is event:
            break
        if value not in known and len(known) == MOST_VALUES:
            del known[min(known, key=lambda known_value: known[known_value])]
        known[value] = max(known.get(value, earlier.time), earlier.time)
    return 0.0 if event.row[category] in known else 1.0


def _since_last(event: Event, history: Sequence[Event]) -> float | None:
    if not history or is_late(event, history):
        return None
    return (event.time - max(earlier.time for earlier in history)) / 60_000


def _travel(feature: Feature, event: Event, history: Sequence[Event]) -> float | None:
    origin = origin_of(event, history)
    if origin is None:
        return None
    start, gap_ms = _position(origin), event.time - origin.time
    km = haversine_km(start, _position(event))
    return {
        "travel_from_latitude": start[0],
        "travel_from_longitude": start[1],
        "travel_gap_min": gap_ms / 60_000,
        "travel_km": km,
        "travel_kmh": km / (max(gap_ms, SHORTEST_GAP_MS) / 3_600_000),
    }[feature.aggregate]


def origin_of(event: Event, history: Sequence[Event]) -> Event | None:
    """Where the card travelled from, when it can have travelled."""
    places = sorted((item for item in history if item.is_place), key=lambda item: item.time)
    if not event.is_place or not places or event.time < places[-1].time:
        return None
    return places[-1]


def _position(event: Event) -> tuple[float, float]:
    transaction = event.arrival.transaction
    if transaction.latitude is None or transaction.longitude is None:
        msg = f"transaction {transaction.transaction_id} is no place"
        raise ValueError(msg)
    return transaction.latitude, transaction.longitude


def haversine_km(start: tuple[float, float], end: tuple[float, float]) -> float:
    """The great-circle distance between two (latitude, longitude) in degrees.

    A quarter of a great circle is a quarter of 2 * pi * 6371.0088 km:

    >>> round(haversine_km((0.0, 0.0), (0.0, 90.0)), 4)
    10007.5572
    """
    (latitude, longitude), (other_latitude, other_longitude) = start, end
    phi, other_phi = math.radians(latitude), math.radians(other_latitude)
    across = math.radians(other_longitude - longitude)
    a = (
        math.sin((other_phi - phi) / 2) ** 2
        + math.cos(phi) * math.cos(other_phi) * math.sin(across / 2) ** 2
    )
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(a)))
