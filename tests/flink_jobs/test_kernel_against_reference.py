"""The kernel and the slow reference agree on random streams, feature by feature."""

from __future__ import annotations

import random
import statistics
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
    assert_agree_from(kernel, stages, arrivals, first=0)


def assert_agree_from(
    kernel: Kernel, stages: Sequence[Stage], arrivals: Sequence[Arrival], *, first: int
) -> None:
    verdicts = kernel.run(card_stage(stages), arrivals)[first:]
    expected = decide_stream(arrivals, stages=stages, fx=FX)[first:]
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
    max_examples=60,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(arrivals=streams())
def test_features_equal_the_reference_on_random_streams(
    kernel: Kernel, arrivals: list[Arrival]
) -> None:
    assert_agree(kernel, ALL, arrivals)


def busy_card(draw: random.Random, count: int, *, step_ms: int) -> list[Arrival]:
    """Uses of one card at 300 merchants, every so often; of the ids a twentieth are repeats."""
    time_ms, arrivals = START, []
    for number in range(count):
        time_ms += draw.randrange(2 * step_ms)
        is_repeat = draw.random() < 0.05
        transaction = make_transaction(
            number,
            time_ms,
            transaction_id=f"t{draw.randrange(number + 1) if is_repeat else number}",
            merchant_id=f"m{draw.randrange(300)}",
            amount=Decimal(draw.randrange(10**6)) / 100,
        )
        arrivals.append(Arrival(transaction=transaction, partition=0, offset=number))
    return arrivals


def test_ids_and_merchants_beyond_every_capacity_equal_the_reference(kernel: Kernel) -> None:
    """More ids and merchants than a card keeps: the oldest goes in both."""
    arrivals = busy_card(random.Random(1), 700, step_ms=4000)
    assert_agree(kernel, FEATURES.select({"card_count_10m", "card_new_merchant"}), arrivals)


BUSY = {
    "card_count_24h",
    "card_sum_24h",
    "card_mean_24h",
    "card_max_24h",
    "card_stddev_30d",
    "card_distinct_merchants_24h",
}


def test_beyond_256_events_a_window_reaches_back_by_at_most_a_32nd_more(
    kernel: Kernel,
) -> None:
    """4,000 uses in 33 hours, 2,900 of them in a day."""
    arrivals = busy_card(random.Random(2), 4000, step_ms=30_000)
    stages = FEATURES.select(BUSY)
    found = kernel.run(card_stage(stages), arrivals)
    counted = 0
    longer: list[tuple[int, float, str]] = []
    for verdict, arrival in zip(found, arrivals, strict=True):
        now = arrival.transaction.event_time_ms
        if verdict.is_duplicate:
            continue
        longer = [item for item in longer if item[0] > now - DAY - DAY // 32]
        before = [item for item in longer if item[0] > now - DAY]
        amount = float(arrival.transaction.amount)
        features = verdict.features
        assert len(before) + 1 <= features["card_count_24h"] <= len(longer) + 1
        sums = [sum(item[1] for item in items) + amount for items in (before, longer)]
        assert sums[0] - 0.001 <= features["card_sum_24h"] <= sums[1] + 0.001
        if before:
            most = [max(item[1] for item in items) for items in (before, longer)]
            assert most[0] <= features["card_max_24h"] <= most[1]
        values = len({item[2] for item in longer} | {arrival.transaction.merchant_id})
        # Four standard errors of 6.5 %.
        assert features["card_distinct_merchants_24h"] == pytest.approx(values, rel=0.26, abs=1)
        counted += 1
        longer.append((now, amount, arrival.transaction.merchant_id))
    assert counted > 3500
    assert found[-1].features["card_count_24h"] > 2000


def test_one_burst_counts_its_merchants_in_every_window(kernel: Kernel) -> None:
    """800 uses in seven minutes: the log overflows while all windows hold all of it."""
    names = {"card_count_10m", "card_distinct_merchants_1h", "card_distinct_merchants_24h"}
    arrivals = busy_card(random.Random(5), 800, step_ms=500)
    seen: set[str] = set()
    for verdict, arrival in zip(
        kernel.run(card_stage(FEATURES.select(names)), arrivals), arrivals, strict=True
    ):
        if verdict.is_duplicate:
            continue
        seen.add(arrival.transaction.merchant_id)
        for name in ("card_distinct_merchants_1h", "card_distinct_merchants_24h"):
            assert verdict.features[name] == pytest.approx(len(seen), rel=0.26, abs=1), name
    assert len(seen) > 250


def test_late_uses_of_a_busy_card_leave_its_largest_amount_alone(kernel: Kernel) -> None:
    """The largest amount lies among those summed up, and the same one comes again."""
    draw, time_ms, arrivals = random.Random(6), START, []
    for number in range(3000):
        time_ms += draw.randrange(30_000)
        late_ms = draw.randrange(1_800_000) if draw.random() < 0.2 else 0
        amount = Decimal(900) if number % 400 == 0 else Decimal(draw.randrange(1, 50))
        use = make_transaction(number, time_ms - late_ms, amount=amount)
        arrivals.append(Arrival(transaction=use, partition=0, offset=number))
    stages = FEATURES.select({"card_max_24h", "card_count_24h"})
    found = kernel.run(card_stage(stages), arrivals)
    assert sum(verdict.is_late for verdict in found) > 300
    assert {verdict.features["card_max_24h"] for verdict in found[300:]} == {900}


def test_the_deviation_of_thousands_of_amounts_is_exact(kernel: Kernel) -> None:
    """All within the window, so that no pane has left it."""
    arrivals = busy_card(random.Random(3), 3000, step_ms=30_000)
    stages = FEATURES.select({"card_stddev_30d", "card_sum_30d", "card_count_30d"})
    found = kernel.run(card_stage(stages), arrivals)
    minors = [int(item.transaction.amount * 100) for item in arrivals]
    kept = [minor for minor, verdict in zip(minors, found, strict=True) if not verdict.is_duplicate]
    last = next(item for item in reversed(found) if not item.is_duplicate).features
    assert last["card_count_30d"] == len(kept)
    assert last["card_sum_30d"] == sum(kept) / 100
    assert last["card_stddev_30d"] == pytest.approx(statistics.stdev(kept[:-1]) / 100, rel=1e-9)


def test_a_card_that_has_calmed_down_is_exact_again(kernel: Kernel) -> None:
    """Two days after a burst no window holds a pane: the same as if the burst had been short."""
    burst = busy_card(random.Random(4), 600, step_ms=10)
    later = [
        Arrival(
            transaction=make_transaction(5000 + n, START + 40 * DAY + n * 60_000),
            partition=0,
            offset=5000 + n,
        )
        for n in range(30)
    ]
    assert_agree_from(kernel, FEATURES.select(BUSY), [*burst, *later], first=len(burst))


def test_rows_of_a_card_are_numbered_without_a_gap_although_it_is_forgotten(
    kernel: Kernel,
) -> None:
    stage = card_stage(FEATURES.select({"card_count_10m", "merchant_count_24h"}))

    def numbers(*days: int, is_fresh: bool = False) -> list[int]:
        uses = [make_transaction(1000 + day, START + day * DAY) for day in days]
        arrivals = [
            Arrival(transaction=use, partition=0, offset=day) for day, use in enumerate(uses)
        ]
        return [verdict.number for verdict in kernel.run(stage, arrivals, is_fresh=is_fresh)]

    assert numbers(0, 1, 1, is_fresh=True) == [1, 2, 3]  # a repeat is a row, too
    assert numbers(400) == [4]  # idle for longer than it is remembered
    kernel.let_go("c1")
    assert numbers(401, 402) == [5, 6]


def test_numbers_of_a_card_go_on_behind_a_plan_that_does_not_number(kernel: Kernel) -> None:
    numbering = card_stage(FEATURES.select({"card_count_10m", "merchant_count_24h"}))
    plain = card_stage(FEATURES.select({"card_count_10m"}))

    def use(day: int) -> list[Arrival]:
        transaction = make_transaction(day, START + day * DAY)
        return [Arrival(transaction=transaction, partition=0, offset=day)]

    assert kernel.run(numbering, use(0))[0].number == 1
    kernel.let_go("c1")
    kernel.run(plain, use(200), is_fresh=False)
    assert kernel.run(numbering, use(201), is_fresh=False)[0].number == 2


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
