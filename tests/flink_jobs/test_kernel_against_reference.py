"""The kernel and the slow reference agree on random streams, feature by feature."""

from __future__ import annotations

import random
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kernel_process import FX, Kernel

from pipelines.contracts.transaction import Transaction
from pipelines.features import card_stage, load_features
from pipelines.reference import Arrival, decide_stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.features import Stage

FEATURES = load_features()
ALL = FEATURES.select(feature.name for feature in FEATURES.features)
CARD = card_stage(ALL)
START = 1_790_000_000_000
SECOND, DAY = 1000, 86_400_000
# Edges of every window, ties, disorder within and beyond the horizon, and long silence.
STEPS = [0, 0, 1, 999, SECOND, 9_999, 10_000, 10_001, 59_999, 60_000, 300_000, 3_600_000]
STEPS += [DAY - 1, DAY, DAY + 1, 7 * DAY, 30 * DAY, 31 * DAY, 91 * DAY]
STEPS += [-1, -5_000, -10_000, -60_000, -3_600_000, -DAY, -30 * DAY, -31 * DAY]


def make_transaction(number: int, time_ms: int, **more: object) -> Transaction:
    values = {
        "transaction_id": f"t{number}",
        "event_time_ms": time_ms,
        "card_id": "c1",
        "customer_id": "u1",
        "merchant_id": "m1",
        "merchant_category": "5411",
        "amount": Decimal("10.00"),
        "currency": "EUR",
        "channel": "pos",
    }
    return Transaction(**{**values, **more})  # type: ignore[arg-type]


@st.composite
def streams(draw: st.DrawFn) -> list[Arrival]:
    """Up to 60 transactions of two cards, with repeats, ties, disorder and missing fields."""
    clocks = {"c1": START, "c2": START}
    ids: list[str] = []
    arrivals = []
    for number in range(draw(st.integers(1, 60))):
        card = draw(st.sampled_from(["c1", "c1", "c2"]))
        clocks[card] = max(0, clocks[card] + draw(st.sampled_from(STEPS)))
        is_repeat = bool(ids) and draw(st.integers(0, 9)) == 0
        name = draw(st.sampled_from(ids)) if is_repeat else f"t{number}"
        ids.append(name)
        has_place = draw(st.integers(0, 4)) > 0
        transaction = make_transaction(
            number,
            clocks[card],
            transaction_id=name,
            card_id=card,
            amount=Decimal(draw(st.integers(0, 10**6))) / 100,
            currency=draw(st.sampled_from(["EUR", "EUR", "USD", "JPY"])),
            merchant_id=draw(st.sampled_from(["m1", "m2", "m3", "m4"])),
            device_id=draw(st.sampled_from([None, "d1", "d2"])),
            channel=draw(st.sampled_from(["pos", "pos", "ecom", "atm"])),
            kind=draw(st.sampled_from([None, "purchase", "refund"])),
            status=draw(st.sampled_from([None, "approved", "declined"])),
            latitude=draw(st.sampled_from([52.5, 48.85, -33.9, 90.0])) if has_place else None,
            longitude=draw(st.sampled_from([13.4, 2.35, 151.2, -180.0])) if has_place else None,
        )
        arrivals.append(Arrival(transaction=transaction, partition=0, offset=number))
    return arrivals


def assert_agree(kernel: Kernel, stages: Sequence[Stage], arrivals: Sequence[Arrival]) -> None:
    verdicts = kernel.run(card_stage(stages), arrivals)
    expected = decide_stream(arrivals, stages=stages, fx=FX)
    names = [feature.name for feature in card_stage(stages).features]
    for verdict, wanted in zip(verdicts, expected, strict=True):
        where = f"offset {wanted.offset}"
        assert verdict.is_duplicate == wanted.is_duplicate, where
        assert verdict.duplicate_of_offset == wanted.duplicate_of_offset, where
        assert verdict.previous_transaction_id == wanted.previous_transaction_id, where
        if not wanted.is_duplicate:
            assert verdict.is_late == wanted.is_late, where
        for name in names:
            found, right = verdict.features[name], wanted.features[name]
            if right is None or found is None:
                assert found is right, f"{where} {name}: {found} is not {right}"
            else:
                assert found == pytest.approx(right, rel=1e-9, abs=1e-9), f"{where} {name}"


@settings(
    max_examples=150,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(arrivals=streams())
def test_features_equal_the_reference_on_random_streams(
    kernel: Kernel, arrivals: list[Arrival]
) -> None:
    assert_agree(kernel, ALL, arrivals)


def test_a_busy_card_beyond_every_capacity_equals_the_reference(kernel: Kernel) -> None:
    """More events, ids and merchants than a card keeps: the oldest goes in both."""
    names = {"card_count_24h", "card_max_24h", "card_distinct_merchants_24h", "card_new_merchant"}
    stages = FEATURES.select(names)
    draw = random.Random(1)
    time_ms, arrivals = START, []
    for number in range(1060):
        time_ms += draw.choice([0, 20, 1000, 5000, -3000])
        transaction = make_transaction(
            number,
            time_ms,
            transaction_id=f"t{number if draw.random() > 0.05 else draw.randrange(number + 1)}",
            merchant_id=f"m{draw.randrange(200)}",
            amount=Decimal(draw.randrange(10**6)) / 100,
        )
        arrivals.append(Arrival(transaction=transaction, partition=0, offset=number))
    assert_agree(kernel, stages, arrivals)


def test_a_profile_goes_on_under_another_plan(kernel: Kernel) -> None:
    """Rules changed between two savepoints: what both plans know carries over."""
    before = FEATURES.select({"card_count_30d", "card_new_merchant", "travel_km"})[-1]
    after = FEATURES.select(
        {
            "card_count_30d",
            "card_sum_30d",
            "card_distinct_merchants_24h",
            "card_new_merchant",
            "card_new_device",
            "travel_km",
        }
    )[-1]
    place = {"latitude": 52.52, "longitude": 13.405, "device_id": "d1"}
    first = [
        Arrival(transaction=make_transaction(n, START + n, **place), partition=0, offset=n)
        for n in range(3)
    ]
    kernel.run(before, first)
    paris = {"latitude": 48.8566, "longitude": 2.3522, "device_id": "d1"}
    again = make_transaction(1, START + 10, **paris)
    new = make_transaction(3, START + 20, **paris)
    repeat, verdict = kernel.run(
        after,
        [
            Arrival(transaction=again, partition=0, offset=3),
            Arrival(transaction=new, partition=0, offset=4),
        ],
        is_fresh=False,
    )
    assert repeat.is_duplicate
    assert repeat.duplicate_of_offset == 1
    assert verdict.features["card_count_30d"] == 4
    assert verdict.features["card_new_merchant"] == 0
    assert verdict.features["travel_km"] == pytest.approx(877.5, abs=0.5)
    # Newly asked for, so it starts empty: the filter was not stored with the earlier events.
    assert verdict.features["card_sum_30d"] == 10.0
    assert verdict.features["card_distinct_merchants_24h"] == 1
    assert verdict.features["card_new_device"] == 1
