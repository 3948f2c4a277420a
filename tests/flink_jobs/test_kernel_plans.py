"""Any plan, not only those of the shipped features; and a change of plan between two savepoints.

Every aggregate over every kind of window, filter and category, as a declaration may combine them,
against the slow reference on streams with ties, disorder, repeats and missing fields.
"""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from kernel_process import FX, Kernel, Verdict

from pipelines.columns import transaction_columns
from pipelines.contracts.transaction import Transaction
from pipelines.expressions.parsing import parse_condition
from pipelines.features import KEY_COLUMNS, READ_VALUES, Feature, Features, Filter, card_stage
from pipelines.reference import Arrival, Decided, decide_stream

if TYPE_CHECKING:
    from collections.abc import Sequence

COLUMNS = {column.name: column for column in transaction_columns()}
CONDITIONS = {
    "spending": "kind <> 'refund' and status = 'approved'",
    "declined": "status = 'declined'",
    "online": "channel = 'ecom'",
    "never": "merchant_id = 'nowhere'",
    "card_present": "channel in ('pos', 'atm')",
}
FILTERS = tuple(
    Filter(name=name, condition=parse_condition(text, COLUMNS)) for name, text in CONDITIONS.items()
)
CATEGORIES = ("merchant_id", "device_id", "country", "merchant_category", "card_id")
COMPARED = ("robust_z", "time_of_day_share")
"""They never count the transaction itself."""
ENTITIES = ("card", "card", "card", "customer", "merchant", "device", "ip")
RUNNING = ("count", "sum", "mean", "stddev", "min", "max", "rate", "distinct")
SCANNED = ("p95", "robust_z", "time_of_day_share", "category_mean")
AGGREGATES = (*RUNNING, *SCANNED)
SECOND, DAY = 1000, 86_400_000
WINDOWS = (1, SECOND, 10 * SECOND, 3600 * SECOND, DAY, 30 * DAY, 90 * DAY)
START = 1_790_000_000_000
TRAVEL = tuple(
    Feature(
        name=name, entity="card", aggregate=name, kind="number", about="T", place="card_present"
    )
    for name in (
        "travel_km",
        "travel_gap_min",
        "travel_kmh",
        "travel_from_latitude",
        "travel_from_longitude",
    )
)


def make_features(draw: random.Random) -> tuple[Feature, ...]:
    """Up to 13 windowed features, up to 4 first-seen ones, and travel."""
    windowed = []
    for number in range(draw.randrange(1, 14)):
        aggregate = draw.choice(AGGREGATES)
        windowed.append(
            Feature(
                name=f"{aggregate}_{number}",
                entity=draw.choice(ENTITIES),
                aggregate=aggregate,
                kind="number",
                about="W",
                window_ms=draw.choice(WINDOWS),
                filter=draw.choice([None, None, *CONDITIONS]),
                category=draw.choice(CATEGORIES) if aggregate in READ_VALUES else None,
                excludes_current=aggregate in COMPARED or draw.random() < 0.4,
            )
        )
    seen = [
        Feature(
            name=f"card_new_{category}",
            entity="card",
            aggregate="first_seen",
            kind="count",
            about="S",
            category=category,
        )
        for category in draw.sample(CATEGORIES[:4], draw.randrange(5))
    ]
    return (*windowed, *seen, *TRAVEL)


def make_stream(draw: random.Random, count: int, *, values: int = 5) -> list[Arrival]:
    """``count`` transactions of two cards; ``values`` different merchants, devices and so on."""
    steps = draw.choice(
        [
            (0, 0, 1, SECOND, 9_999, 10_000, -1, -SECOND),
            (SECOND, 3600 * SECOND, DAY - 1, DAY, -1, -DAY, -3600 * SECOND, 0),
            (DAY, 29 * DAY, 30 * DAY, 90 * DAY, 91 * DAY, -30 * DAY, -90 * DAY, 0),
        ]
    )
    clocks = {"c1": START, "c2": START}
    arrivals = []
    for number in range(count):
        card = draw.choice(["c1", "c1", "c1", "c2"])
        clocks[card] = max(0, clocks[card] + draw.choice(steps))
        is_repeat = number > 0 and draw.random() < 0.1
        transaction = Transaction(
            transaction_id=f"t{draw.randrange(number) if is_repeat else number}",
            event_time_ms=clocks[card],
            card_id=card,
            customer_id=draw.choice(["u1", "u1", "u2"]),
            merchant_id=f"m{draw.randrange(values)}",
            merchant_category=f"{draw.randrange(values):04d}",
            amount=draw.choice([Decimal(0), Decimal(10**11), Decimal(draw.randrange(10**6)) / 100]),
            currency=draw.choice(["EUR", "EUR", "USD", "GBP"]),
            channel=draw.choice(["pos", "pos", "ecom", "atm"]),
            kind=draw.choice([None, "purchase", "refund"]),
            status=draw.choice([None, "approved", "declined"]),
            country=draw.choice([None, "DE", "FR"]),
            device_id=draw.choice([None, f"d{draw.randrange(values)}"]),
            ip_address=draw.choice([None, f"10.0.0.{draw.randrange(values)}"]),
            latitude=draw.choice([None, 90.0, -90.0, 0.0, 52.5, draw.uniform(-90, 90)]),
            longitude=draw.choice([None, 180.0, -180.0, 0.0, 13.4, draw.uniform(-180, 180)]),
        )
        arrivals.append(Arrival(transaction=transaction, partition=0, offset=number))
    return arrivals


def assert_same(found: Sequence[Verdict], expected: Sequence[Decided]) -> None:
    for verdict, wanted in zip(found, expected, strict=True):
        where = f"offset {wanted.offset}"
        assert verdict.is_duplicate == wanted.is_duplicate, where
        assert verdict.is_late == wanted.is_late, where
        assert verdict.duplicate_of_offset == wanted.duplicate_of_offset, where
        assert verdict.previous_transaction_id == wanted.previous_transaction_id, where
        assert_equal_features(verdict, wanted)


def assert_equal_features(verdict: Verdict, wanted: Decided) -> None:
    for name, value in verdict.features.items():
        right, where = wanted.features[name], f"offset {wanted.offset} {name}"
        if value is None or right is None:
            assert value is right, f"{where}: {value} is not {right}"
        else:
            assert value == pytest.approx(right, rel=1e-9, abs=1e-9), where


@pytest.mark.parametrize("seed", range(25))
def test_any_plan_equals_the_reference(kernel: Kernel, seed: int) -> None:
    draw = random.Random(seed)
    stages = Features(features=(features := make_features(draw)), filters=FILTERS).select(
        feature.name for feature in features
    )
    arrivals = make_stream(draw, draw.randrange(1, 250))
    expected = decide_stream(arrivals, stages=stages, fx=FX)
    assert_same(kernel.run(card_stage(stages), arrivals), expected)
    for stage in stages:
        if stage.mixes_cards:
            counted = [
                (arrival, wanted)
                for arrival, wanted in zip(arrivals, expected, strict=True)
                if not wanted.is_duplicate
                and getattr(arrival.transaction, KEY_COLUMNS[stage.entity]) is not None
            ]
            found = kernel.run(stage, [arrival for arrival, _ in counted])
            for verdict, (_, wanted) in zip(found, counted, strict=True):
                assert_equal_features(verdict, wanted)


@pytest.mark.parametrize("seed", range(25))
def test_a_smaller_plan_goes_on_as_if_it_had_always_run(kernel: Kernel, seed: int) -> None:
    """Rules are withdrawn between two savepoints: what is left loses nothing of its history."""
    draw = random.Random(seed)
    features = make_features(draw)
    everything = Features(features=features, filters=FILTERS)
    before = everything.select(feature.name for feature in features)
    kept = {feature.name for feature in features if draw.random() < 0.5}
    after = everything.select(kept)
    arrivals = make_stream(draw, 120)
    change = draw.randrange(len(arrivals))
    kernel.run(card_stage(before), arrivals[:change])
    found = kernel.run(card_stage(after), arrivals[change:], is_fresh=False)
    assert_same(found, decide_stream(arrivals, stages=after, fx=FX)[change:])


@pytest.mark.parametrize("seed", range(5))
def test_declared_in_another_order_a_plan_goes_on_with_the_same_memory(
    kernel: Kernel, seed: int
) -> None:
    """Filter bits and categories are known by their names, not by their positions."""
    draw = random.Random(seed)
    features = make_features(draw)
    names = [feature.name for feature in features]
    declared = Features(features=features, filters=FILTERS)
    turned = replace(declared, features=features[::-1], filters=FILTERS[::-1])
    arrivals = make_stream(draw, 100)
    kernel.run(card_stage(declared.select(names)), arrivals[:60])
    after = turned.select(names)
    found = kernel.run(card_stage(after), arrivals[60:], is_fresh=False)
    assert_same(found, decide_stream(arrivals, stages=after, fx=FX)[60:])


def test_a_shorter_horizon_holds_from_the_first_event_on(kernel: Kernel) -> None:
    """A late transaction right after the change once saw events that its plan had forgotten."""
    counts = [
        Feature(
            name=f"card_count_{days}d",
            entity="card",
            aggregate="count",
            kind="count",
            about="C",
            window_ms=days * DAY,
        )
        for days in (1, 30)
    ]
    declared = Features(features=tuple(counts), filters=FILTERS)
    (day, both) = declared.select(["card_count_1d"]), declared.select(["card_count_30d"])
    base = make_stream(random.Random(0), 1)[0].transaction
    # Two events of one morning, a third five days later, and one that was held up since then.
    times = (0, SECOND, 5 * DAY, 2 * SECOND)
    arrivals = [
        Arrival(
            transaction=replace(base, transaction_id=f"t{n}", event_time_ms=START + ms),
            partition=0,
            offset=n,
        )
        for n, ms in enumerate(times)
    ]
    kernel.run(card_stage(both), arrivals[:3])
    (verdict,) = kernel.run(card_stage(day), arrivals[3:], is_fresh=False)
    assert verdict.is_late
    assert verdict.features["card_count_1d"] == 1


def test_of_values_last_used_together_the_first_to_come_is_dropped(kernel: Kernel) -> None:
    """A card remembers 128 merchants: the 129th drops one, and only that one."""
    feature = Feature(
        name="card_new_merchant",
        entity="card",
        aggregate="first_seen",
        kind="count",
        about="S",
        category="merchant_id",
    )
    stage = Features(features=(feature,), filters=FILTERS).select(["card_new_merchant"])[-1]
    base = make_stream(random.Random(0), 1)[0].transaction
    merchants = [*range(129), 1, 127, 0]
    arrivals = [
        Arrival(
            transaction=replace(
                base,
                transaction_id=f"t{n}",
                merchant_id=f"m{merchant}",
                event_time_ms=START + (n >= 128),  # the first 128 at one instant
            ),
            partition=0,
            offset=n,
        )
        for n, merchant in enumerate(merchants)
    ]
    found = [verdict.features["card_new_merchant"] for verdict in kernel.run(stage, arrivals)]
    assert found == [1.0] * 129 + [0.0, 0.0, 1.0]
