"""The reference on streams whose right answers were worked out by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from card_stream import (
    BERLIN,
    DAY,
    FEATURES,
    FX,
    MINUTE,
    PARIS,
    START,
    decide,
    declare,
    use,
    values,
)

from pipelines.contracts.customer import Customer
from pipelines.reference import Arrival, decide_stream
from pipelines.rules import load_ruleset

if TYPE_CHECKING:
    from pathlib import Path

# -- windows ----------------------------------------------------------------------------------


def test_window_holds_its_newest_moment_and_not_its_oldest() -> None:
    uses = [use(f"t{at}", at) for at in (0, 5000, 9999, 10_000, 10_001, 19_999)]
    # At 10 s the use at 0 s has just left; at 19.999 s those at 9.999 s and before have.
    assert values("card_count_10s", *uses) == [1, 2, 3, 3, 4, 3]


def test_uses_of_one_instant_count_in_the_order_they_arrived() -> None:
    uses = [use("a", 0), use("b", 0), use("c", 0)]
    assert values("card_count_10s", *uses) == [1, 2, 3]
    assert [one.is_late for one in decide(*uses)] == [False, False, False]
    assert values("card_max_24h", use("a", 0, "5"), use("b", 0, "9"), use("c", 0, "1")) == [
        None,
        5.0,
        9.0,
    ]


def test_declined_uses_count_but_nobody_spent_them() -> None:
    uses = [
        use("a", 0, "10.50"),
        use("b", 1, "99", status="declined"),
        use("c", 2, "30", kind="refund"),
        use("d", 3, "0.25"),
    ]
    assert values("card_count_1h", *uses) == [1, 2, 3, 4]
    assert values("card_sum_1h", *uses) == [10.5, 10.5, 10.5, 10.75]


def test_sum_of_nothing_is_nought_and_its_mean_unknown() -> None:
    declined = use("a", 0, "10", status="declined")
    assert values("card_sum_1h", declined) == [0.0]
    assert values("card_mean_24h", declined, use("b", 1)) == [None, None]


def test_norms_leave_out_the_transaction_that_is_decided() -> None:
    uses = [use("a", 0, "2"), use("b", 1, "4"), use("c", 2, "9"), use("d", 3, "1000")]
    assert values("card_mean_30d", *uses) == [None, 2.0, 3.0, 5.0]
    # Of 2 and 4: sqrt(((2-3)^2 + (4-3)^2) / 1). Of 2, 4, 9: sqrt((9 + 1 + 16) / 2).
    assert values("card_stddev_30d", *uses) == [
        None,
        None,
        pytest.approx(2**0.5),
        pytest.approx(13**0.5),
    ]
    assert values("card_max_30d", *uses) == [None, 2.0, 4.0, 9.0]


def test_least_amount_with_the_current_one_in_it(tmp_path: Path) -> None:
    stages = declare(
        tmp_path,
        '[[feature]]\nname = "card_min_{window}"\nentity = "card"\naggregate = "min"\n'
        'filter = "shop"\nwindows = ["10s"]\nabout = "Least."\n',
    )
    uses = [
        use("a", 0, "5"),
        use("b", 5000, "9"),
        use("c", 9000, "1", channel="ecom"),
        use("d", 12_000, "7"),
    ]
    assert [one.features["card_min_10s"] for one in decide(*uses, stages=stages)] == [5, 5, 5, 7]


def test_money_is_in_the_base_currency_rounded_half_to_even() -> None:
    # 10.00 USD at 0.92; 12.345 and 12.355 EUR go to the even cent.
    uses = [use("a", 0, "10", currency="USD"), use("b", 1, "12.345"), use("c", 2, "12.355")]
    assert values("card_sum_1h", *uses) == [9.2, pytest.approx(21.54), pytest.approx(33.9)]


def test_different_merchants_are_counted_once_each() -> None:
    shops = ["a", "b", "a", "c"]
    uses = [use(f"t{n}", n * 20 * MINUTE, merchant_id=shop) for n, shop in enumerate(shops)]
    # An hour after the first use of a, which has left: b, a and c.
    assert values("card_distinct_merchants_1h", *uses) == [1, 2, 2, 3]
    assert values("card_distinct_merchants_1h", *uses[:3], use("t", 79 * MINUTE)) == [1, 2, 2, 3]
    again = use("t", 80 * MINUTE, merchant_id="b")
    assert values("card_distinct_merchants_1h", *uses[:2], again) == [1, 2, 1]


def test_missing_values_are_no_values(tmp_path: Path) -> None:
    stages = declare(
        tmp_path,
        '[[feature]]\nname = "card_devices_{window}"\nentity = "card"\naggregate = "distinct"\n'
        'category = "device_id"\nwindows = ["1h"]\nabout = "Devices."\n',
    )
    uses = [use("a", 0), use("b", 1, device_id="d1"), use("c", 2), use("d", 3, device_id="d2")]
    assert [one.features["card_devices_1h"] for one in decide(*uses, stages=stages)] == [0, 1, 1, 2]


def test_cards_have_nothing_to_do_with_each_other() -> None:
    uses = [use("a", 0), use("a", 1, card_id="card-2"), use("b", 2), use("b", 3, card_id="card-2")]
    decided = decide(*uses, features="card_count_10s")
    assert [one.features["card_count_10s"] for one in decided] == [1, 1, 2, 2]
    assert not any(one.is_duplicate for one in decided)


# -- late -------------------------------------------------------------------------------------


def test_late_use_is_decided_as_of_its_own_time_over_what_has_arrived() -> None:
    uses = [use("a", 0), use("b", 20_000), use("late", 8000), use("later", 9000), use("c", 20_001)]
    decided = decide(*uses, features="card_count_10s card_sum_10m card_max_24h")
    assert [one.is_late for one in decided] == [False, False, True, True, False]
    # late sees a and itself; later sees a, late and itself; c sees b and itself, not (10 s, ...].
    assert [one.features["card_count_10s"] for one in decided] == [1, 1, 2, 3, 2]
    # But late ones are stored, and windows that reach back hold them.
    assert [one.features["card_sum_10m"] for one in decided] == [10, 20, 20, 30, 50]


def test_late_use_counts_in_later_windows() -> None:
    uses = [use("a", 10_000), use("late", 5000), use("b", 12_000)]
    assert values("card_count_10s", *uses) == [1, 1, 3]


def test_use_beyond_the_horizon_is_decided_and_forgotten() -> None:
    # The longest window planned is 10 s; what is older is not stored for anybody.
    uses = [use("a", 0), use("b", 10_000), use("late", 5000), use("older", 0), use("again", 1)]
    # late: a has left the store at b. older: alone. again: older was never stored.
    assert values("card_count_10s", *uses) == [1, 1, 1, 1, 1]
    assert values("card_count_10s", *uses[:3], use("c", 10_001)) == [1, 1, 1, 3]
    # With a longer window planned, the same events are still there.
    decided = decide(*uses, features="card_count_10s card_count_1h")
    assert [one.features["card_count_10s"] for one in decided] == [1, 1, 2, 2, 3]


def test_repeat_names_the_first_and_leaves_no_trace() -> None:
    uses = [
        use("a", 0),
        use("a", 60_000, "900", device_id="d", **PARIS),
        use("b", 1000, device_id="d", **BERLIN),
    ]
    names = "card_count_10s card_sum_1h card_new_device travel_km customer_max_speed_kmh"
    known = {"customer-1": [Customer(customer_id="customer-1", updated_at_ms=0, max_speed_kmh=90)]}
    first, repeat, after = decide(*uses, features=names, customers=known)
    assert (first.is_duplicate, first.duplicate_of_offset) == (False, None)
    assert (repeat.is_duplicate, repeat.duplicate_of_offset, repeat.offset) == (True, 100, 101)
    assert set(repeat.features.values()) == {None}
    assert (repeat.score, repeat.band, repeat.rules_fired) == (0, "allow", ())
    # Not even the repeat's time was taken as the newest.
    assert not after.is_late
    assert after.features == {
        "customer_max_speed_kmh": 90,
        "card_count_10s": 2,
        "card_sum_1h": 20,
        "card_new_device": 1,
        "travel_km": None,
        "travel_from_latitude": None,
        "travel_from_longitude": None,
    }


def test_repeat_can_be_late() -> None:
    decided = decide(use("a", 5000), use("a", 0))
    assert [(one.is_duplicate, one.is_late) for one in decided] == [(False, False), (True, True)]


@pytest.mark.parametrize(("gap", "is_repeat"), [(DAY - 1, True), (DAY, False)])
def test_id_is_remembered_for_a_day_of_the_cards_own_time(gap: int, is_repeat: bool) -> None:
    assert decide(use("a", 0), use("b", gap), use("a", gap))[2].is_duplicate is is_repeat
    # The repeat's own time counts as the newest when it is.
    assert decide(use("a", 0), use("a", gap))[1].is_duplicate is is_repeat


def test_id_that_came_late_is_remembered_from_the_newest_of_then() -> None:
    uses = [use("a", DAY), use("late", 0), use("late", 2 * DAY - 1)]
    assert decide(*uses)[2].is_duplicate
    assert not decide(*uses[:2], use("late", 2 * DAY))[2].is_duplicate


def test_only_the_last_256_ids_are_remembered() -> None:
    uses = [use(f"t{n}", n) for n in range(257)]
    decided = decide(*uses, use("t1", 257), use("t0", 258))
    assert [one.duplicate_of_offset for one in decided[-2:]] == [101, None]


def test_forgotten_id_that_came_again_is_the_first_of_its_next_repeats() -> None:
    decided = decide(use("a", 0), use("a", DAY), use("a", DAY + 1))
    assert [one.duplicate_of_offset for one in decided] == [None, None, 101]


# -- first seen -------------------------------------------------------------------------------


def test_value_is_new_once_and_unknown_without_one() -> None:
    devices = ["d1", "d1", None, "d2", "d1"]
    uses = [use(f"t{n}", n, device_id=device) for n, device in enumerate(devices)]
    assert values("card_new_device", *uses) == [1, 0, None, 1, 0]
    assert values("card_new_merchant", *uses) == [1, 0, 0, 0, 0]


def test_declined_and_late_uses_make_a_value_known() -> None:
    uses = [
        use("a", 10_000, device_id="d1", status="declined"),
        use("b", 0, device_id="d2"),
        use("c", 5000, device_id="d1"),
        use("d", 11_000, device_id="d2"),
    ]
    # Judged over what has arrived: c is before d1's first use, and d1 is known all the same.
    assert values("card_new_device", *uses) == [1, 1, 0, 0]


@pytest.mark.parametrize(("gap", "is_new"), [(90 * DAY - 1, 0), (90 * DAY, 1)])
def test_value_is_forgotten_ninety_days_after_its_last_use(gap: int, is_new: float) -> None:
    assert values("card_new_device", use("a", 0, device_id="d"), use("b", gap, device_id="d")) == [
        1,
        is_new,
    ]
    # A use in between renews it; a late one does not make its last use earlier.
    uses = [
        use("a", 0, device_id="d"),
        use("b", 10 * DAY, device_id="d"),
        use("c", 5 * DAY, device_id="d"),
        use("d", 10 * DAY + gap, device_id="d"),
    ]
    assert values("card_new_device", *uses) == [1, 0, 0, is_new]


def test_of_more_than_128_values_the_least_recently_used_goes() -> None:
    first = [use(f"t{n}", n, device_id=f"d{n}") for n in range(128)]
    # d0 is used again, so that d1 is the least recently used when d128 comes.
    rest = [("d0", 0), ("d128", 1), ("d0", 0), ("d1", 1)]
    uses = [use(f"u{n}", 200 + n, device_id=device) for n, (device, _) in enumerate(rest)]
    found = values("card_new_device", *first, *uses)
    assert found[-4:] == [is_new for _, is_new in rest]


# -- customers, rules, places -----------------------------------------------------------------


def test_customers_attributes_come_first_and_are_null_when_unknown() -> None:
    known = {"customer-1": [Customer(customer_id="customer-1", updated_at_ms=0, max_speed_kmh=90)]}
    uses = [use("a", 0), use("b", 1, customer_id="customer-2")]
    decided = decide(*uses, features="card_count_10s customer_max_speed_kmh", customers=known)
    assert [list(one.features.items()) for one in decided] == [
        [("customer_max_speed_kmh", 90.0), ("card_count_10s", 1.0)],
        [("customer_max_speed_kmh", None), ("card_count_10s", 2.0)],
    ]


def test_customers_attributes_are_those_of_the_transactions_own_time() -> None:
    versions = [(START + 1000, 50), (START + 3000, 90), (START + 2000, 70), (START + 3000, 80)]
    known = {
        "customer-1": [
            Customer(customer_id="customer-1", updated_at_ms=at_ms, max_speed_kmh=speed)
            for at_ms, speed in versions
        ]
    }
    uses = [use(f"t{at_ms}", at_ms) for at_ms in (0, 999, 1000, 1999, 2000, 2999, 3000, 9000)]
    found = values("customer_max_speed_kmh", *uses, customers=known)
    # Before the first known: that one, the oldest there is. Of one instant: the last to arrive.
    assert found == [50, 50, 50, 50, 70, 70, 80, 80]


def test_rules_judge_what_was_computed() -> None:
    ruleset = load_ruleset("classic", FEATURES)
    uses = [
        use("a", 0, **BERLIN),
        use("b", 1000, "250", currency="USD", **BERLIN),  # 230.00 EUR
        use("c", 2000, "200", **PARIS),
        use("c", 3000, "999", **PARIS),
    ]
    decided = decide(*uses, stages=FEATURES.select(ruleset.columns), ruleset=ruleset)
    assert [(one.rules_fired, one.score, one.band) for one in decided] == [
        ((), 0, "allow"),
        (("high_amount",), 40, "review"),
        (("rapid_use", "far_jump"), 80, "block"),
        ((), 0, "allow"),
    ]


def test_decisions_keep_the_order_and_the_places_of_the_records() -> None:
    places = [(1, 7), (0, 3), (1, 8)]
    arrivals = [
        Arrival(
            transaction=use(f"t{n}", n, card_id=f"card-{partition}"),
            partition=partition,
            offset=offset,
        )
        for n, (partition, offset) in enumerate(places)
    ]
    decided = decide_stream(arrivals, stages=FEATURES.select(["card_count_10s"]), fx=FX)
    assert [(one.partition, one.offset) for one in decided] == places
    assert [one.features["card_count_10s"] for one in decided] == [1, 1, 2]
