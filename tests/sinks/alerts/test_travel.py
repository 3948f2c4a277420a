"""Which payment of an alert is shown as its journey."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sinks.alerts.alert import parse_alert
from sinks.alerts.travel import Place, travel_of

if TYPE_CHECKING:
    from collections.abc import Callable

BERLIN, PARIS = Place(latitude=52.52, longitude=13.405), Place(latitude=48.8566, longitude=2.3522)


def test_a_rule_that_observed_the_speed_makes_it_a_journey(
    make_value: Callable[..., bytes],
) -> None:
    travel = travel_of(parse_alert(make_value()))

    assert travel is not None
    assert (travel.start, travel.end) == (BERLIN, PARIS)
    assert (travel.km, travel.kmh, travel.gap_min) == (812, 9744, None)


def test_a_payment_around_the_corner_is_none_although_the_rule_fired_before(
    make_record: Callable[..., dict[str, Any]],
) -> None:
    record = make_record()
    record["latest"]["features"] |= {"travel_kmh": 3.0, "travel_km": 0.2}
    record["latest"]["rules_fired"] = ["new_device"]

    assert travel_of(parse_alert(json.dumps(record).encode())) is None


def test_a_payment_without_a_place_is_none(make_record: Callable[..., dict[str, Any]]) -> None:
    record = make_record()
    del record["latest"]["transaction"]["latitude"]

    assert travel_of(parse_alert(json.dumps(record).encode())) is None


def test_a_rule_that_observed_nothing_does_not_make_a_standstill_a_journey(
    make_record: Callable[..., dict[str, Any]],
) -> None:
    """A second payment in the same shop was shown as a journey of 0 km that made a rule fire."""
    record = make_record()
    record["latest"]["features"] |= {"travel_kmh": 0.0, "travel_km": 0.0}
    for rule in record["rules"]:
        rule["observed"] = 0.0

    assert travel_of(parse_alert(json.dumps(record).encode())) is None
