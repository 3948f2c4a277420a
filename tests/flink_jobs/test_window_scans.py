"""Features that look at the newest events of a window, by values worked out by hand."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from test_kernel_plans import DAY, FX, SECOND, START, make_stream

from pipelines.features import Feature, Features, card_stage
from pipelines.reference import Arrival, decide_stream

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kernel_process import Kernel

HOUR = 3600 * SECOND


def make_feature(aggregate: str, category: str | None = None) -> Feature:
    return Feature(
        name=aggregate,
        entity="card",
        aggregate=aggregate,
        kind="number",
        about="S",
        window_ms=30 * DAY,
        category=category,
        excludes_current=True,
    )


def last_value(kernel: Kernel, feature: Feature, uses: Sequence[tuple[int, int]]) -> float | None:
    """Of the last of these uses (at, whole amount); the reference says the same."""
    stages = Features(features=(feature,), filters=()).select([feature.name])
    base = make_stream(random.Random(0), 1)[0].transaction
    arrivals = [
        Arrival(
            transaction=replace(
                base,
                transaction_id=f"t{number}",
                event_time_ms=START + at_ms,
                amount=Decimal(amount),
                currency="EUR",
            ),
            partition=0,
            offset=number,
        )
        for number, (at_ms, amount) in enumerate(uses)
    ]
    found = kernel.run(card_stage(stages), arrivals)[-1].features[feature.name]
    right = decide_stream(arrivals, stages=stages, fx=FX)[-1].features[feature.name]
    assert found == (None if right is None else pytest.approx(right, rel=1e-9))
    return found


def test_of_twenty_amounts_the_nineteenth_is_not_exceeded_by_95_in_100(kernel: Kernel) -> None:
    amounts = random.Random(1).sample(range(1, 21), 20)
    uses = [(number, amount) for number, amount in enumerate(amounts)]
    assert last_value(kernel, make_feature("p95"), [*uses, (21, 500)]) == 19
    # One more: of 21, ninety-five in a hundred are 19.95.
    assert last_value(kernel, make_feature("p95"), [*uses, (21, 500), (22, 1)]) == 20


def test_the_newest_hundred_are_seen(kernel: Kernel) -> None:
    uses = [(0, 1000), *((number, 1) for number in range(1, 100)), (100, 7)]
    # The 1000 is the oldest of a hundred, and then of a hundred and one.
    assert last_value(kernel, make_feature("category_mean", "merchant_id"), uses) == 10.99
    assert (
        last_value(kernel, make_feature("category_mean", "merchant_id"), [*uses, (101, 7)])
        == (99 + 7) / 100
    )


def test_two_hours_of_the_clock_over_midnight_are_near(kernel: Kernel) -> None:
    midnight = DAY - START % DAY
    uses = [(midnight - HOUR, 1), (midnight + HOUR, 1), (midnight + HOUR + 1, 1)]
    share = make_feature("time_of_day_share")
    assert last_value(kernel, share, uses[:2]) == 1
    assert last_value(kernel, share, uses) == 0.5


def test_of_equal_amounts_nothing_is_unusual_and_nothing_is_said(kernel: Kernel) -> None:
    assert last_value(kernel, make_feature("robust_z"), [(0, 5), (1, 5), (2, 5), (3, 900)]) is None


@pytest.mark.parametrize("most", [7, 300, 70_000, 10**12])
@pytest.mark.parametrize("aggregate", ["p95", "robust_z"])
def test_many_amounts_of_any_size_equal_the_reference(
    kernel: Kernel, aggregate: str, most: int
) -> None:
    """Of few amounts the kernel sorts otherwise than of many, and by as many bytes as they have."""
    rng = random.Random(most)
    for count in (30, 32, 33, 34, 100, 130):
        uses = [(number, 1 + rng.randrange(most)) for number in range(count + 1)]
        assert last_value(kernel, make_feature(aggregate), uses) is not None
