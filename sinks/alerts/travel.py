"""The journey that made a rule fire: two places, and how fast the card would have been.

An alert's record has the features of its latest payment only. That payment is a journey of the
alert if a rule that fired on it observed the journey: its speed, its length or its time. That is
told by the value it observed. Nothing, 0, tells nothing: half of all features are 0 at times.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sinks.alerts.alert import Alert

_OBSERVED = ("travel_kmh", "travel_km", "travel_gap_min")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Degrees."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Travel:
    """From the card's last place to that of a payment; None: the plan did not compute it."""

    start: Place
    end: Place
    km: float | None
    kmh: float | None
    gap_min: float | None


def travel_of(alert: Alert) -> Travel | None:
    """The journey to the latest payment, if a rule fired for it."""
    latest = alert.latest
    values = {latest.features.get(name) for name in _OBSERVED} - {None, 0.0}
    if not any(rule.observed in values for rule in alert.rules if rule.id in latest.rules_fired):
        return None
    start = _place(
        latest.features.get("travel_from_latitude"), latest.features.get("travel_from_longitude")
    )
    end = _place(latest.transaction.latitude, latest.transaction.longitude)
    if start is None or end is None:
        return None
    return Travel(
        start=start,
        end=end,
        km=latest.features.get("travel_km"),
        kmh=latest.features.get("travel_kmh"),
        gap_min=latest.features.get("travel_gap_min"),
    )


def write_travel(travel: Travel) -> dict[str, object]:
    """The object of the document: geo points that a map can join."""
    return {
        "from": geo_point(travel.start.latitude, travel.start.longitude),
        "to": geo_point(travel.end.latitude, travel.end.longitude),
        "km": travel.km,
        "kmh": travel.kmh,
        "gap_min": travel.gap_min,
    }


def geo_point(latitude: float | None, longitude: float | None) -> dict[str, float] | None:
    """As Elasticsearch has it; None unless both are there."""
    if latitude is None or longitude is None:
        return None
    return {"lat": latitude, "lon": longitude}


def _place(latitude: float | None, longitude: float | None) -> Place | None:
    if latitude is None or longitude is None:
        return None
    return Place(latitude=latitude, longitude=longitude)
