"""Travel in the reference: distances from a published calculator and from the circle itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from card_stream import BERLIN, DAY, HOUR, PARIS, decide, use

from pipelines.reference import haversine_km

if TYPE_CHECKING:
    from pipelines.contracts.transaction import Transaction

BERLIN_PARIS_KM = 877.5  # from a published calculator
QUARTER_KM = 10007.5572  # a quarter of 2 * pi * 6371.0088 km
TRAVEL = "travel_km travel_gap_min travel_kmh"


def travel(*uses: Transaction) -> list[tuple[float | None, ...]]:
    names = TRAVEL.split()
    return [tuple(map(one.features.get, names)) for one in decide(*uses, features=TRAVEL)]


def test_travel_is_from_the_last_place_to_this_one() -> None:
    uses = [use("a", 0, **BERLIN), use("b", 2 * HOUR, **PARIS)]
    km = pytest.approx(BERLIN_PARIS_KM, abs=0.1)
    kmh = pytest.approx(BERLIN_PARIS_KM / 2, abs=0.05)
    assert travel(*uses) == [(None, None, None), (km, 120, kmh)]
    assert [one.previous_transaction_id for one in decide(*uses)] == [None, "a"]


def test_where_the_card_travelled_from_is_known_wherever_its_travel_is() -> None:
    uses = [use("a", 0, **BERLIN), use("b", 2 * HOUR, **PARIS), use("c", 3 * HOUR, **PARIS)]
    origins = [
        (one.features["travel_from_latitude"], one.features["travel_from_longitude"])
        for one in decide(*uses, features="travel_kmh")
    ]
    ends = [(place["latitude"], place["longitude"]) for place in (BERLIN, PARIS)]
    assert origins == [(None, None), *ends]


def test_speed_counts_at_least_a_minute() -> None:
    uses = [use("a", 0, **BERLIN), use("b", 0, **PARIS), use("c", 30_000, **BERLIN)]
    kmh = pytest.approx(BERLIN_PARIS_KM * 60, rel=1e-3)
    found = travel(*uses)
    assert [one[1:] for one in found[1:]] == [(0, kmh), (0.5, kmh)]


def test_only_places_of_a_present_card_count() -> None:
    uses = [
        use("a", 0, **BERLIN),
        use("online", 1, channel="ecom", **PARIS),
        use("nowhere", 2),
        use("half", 3, latitude=48.8566),
        use("b", HOUR, channel="atm", **BERLIN),
    ]
    assert travel(*uses) == [(None, None, None)] * 4 + [(0, 60, 0)]
    assert decide(*uses)[4].previous_transaction_id == "a"


def test_late_use_does_not_travel_and_moves_no_place_back() -> None:
    uses = [use("a", HOUR, **BERLIN), use("late", 0, **PARIS), use("b", 2 * HOUR, **BERLIN)]
    decided = decide(*uses, features=TRAVEL)
    assert set(decided[1].features.values()) == {None}
    assert decided[1].previous_transaction_id is None
    assert tuple(map(decided[2].features.get, TRAVEL.split())) == (0, 60, 0)
    assert decided[2].previous_transaction_id == "a"


def test_late_use_can_still_be_the_newest_place() -> None:
    # It is later than the last place, though an online purchase was later still.
    uses = [use("a", 0, **BERLIN), use("online", 2 * HOUR, channel="ecom"), use("b", HOUR, **PARIS)]
    decided = decide(*uses, use("c", 3 * HOUR, **PARIS), features=TRAVEL)
    assert decided[2].is_late
    assert decided[2].features["travel_gap_min"] == 60
    assert decided[3].features["travel_km"] == 0


def test_of_two_places_at_one_instant_the_last_to_arrive_is_left_from() -> None:
    uses = [use("a", 0, **BERLIN), use("b", 0, **PARIS), use("c", HOUR, **PARIS)]
    assert decide(*uses)[2].previous_transaction_id == "b"


def test_last_place_is_known_until_the_card_is_forgotten_after_180_idle_days() -> None:
    uses = [use("a", 0, **BERLIN), use("b", 180 * DAY, **PARIS)]
    assert travel(*uses)[1][1] == 180 * 24 * 60
    later = [use("a", 0, **BERLIN), use("b", 180 * DAY + 1, **PARIS)]
    assert travel(*later)[1][1] is None


@pytest.mark.parametrize(
    ("start", "end", "km"),
    [
        ((0.0, 0.0), (0.0, 90.0), QUARTER_KM),
        ((0.0, 0.0), (90.0, 0.0), QUARTER_KM),
        ((0.0, 179.5), (0.0, -179.5), QUARTER_KM / 90),  # a degree, across the date line
        ((90.0, 0.0), (-90.0, 77.0), 2 * QUARTER_KM),
        ((-33.9, 151.2), (-33.9, 151.2), 0.0),
    ],
)
def test_distance_is_along_the_great_circle(
    start: tuple[float, float], end: tuple[float, float], km: float
) -> None:
    assert haversine_km(start, end) == pytest.approx(km, abs=0.001)
