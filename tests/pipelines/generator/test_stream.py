"""The generated stream: repeatable, in order, plausible, with honest fraud and no leak of truth."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING

import pytest

from pipelines.contracts.customer import parse_customer
from pipelines.contracts.label import parse_label
from pipelines.contracts.transaction import parse_transaction
from pipelines.fx import load_fx
from pipelines.generator import Emission, GeneratorOptions, generate

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pipelines.contracts.transaction import Transaction

START_MS = 1_772_366_400_000
HOUR_MS = 3_600_000
FX = load_fx()
# A day and a half of 2,000 cards that are used about four times a day each.
SLOW = GeneratorOptions(
    seed=3, start_ms=START_MS, cards=2000, rate=0.1, count=12_000, all_labels=True
)
# A minute and a half of a busy stream.
FAST = GeneratorOptions(seed=7, start_ms=START_MS, cards=4000, rate=200.0, count=20_000)


@cache
def run(options: GeneratorOptions) -> tuple[Emission, ...]:
    return tuple(generate(options))


@cache
def transactions(options: GeneratorOptions) -> tuple[tuple[Transaction, str | None], ...]:
    return tuple(
        (parse_transaction(each.value, currencies=FX.rates), each.scenario)
        for each in run(options)
        if each.kind == "transaction"
    )


def digest(emissions: Iterable[Emission]) -> str:
    hasher = hashlib.sha256()
    for each in emissions:
        hasher.update(repr((each.kind, each.key, each.value, each.at_ms)).encode())
    return hasher.hexdigest()


def test_the_same_seed_gives_the_same_bytes_in_another_process() -> None:
    options = replace(FAST, cards=300, count=2000, label_delay_ms=2000)
    code = (
        "import sys, hashlib; from pipelines.generator import *\n"
        f"hasher = hashlib.sha256()\n"
        f"for e in generate({options!r}):\n"
        "    hasher.update(repr((e.kind, e.key, e.value, e.at_ms)).encode())\n"
        "print(hasher.hexdigest())"
    )
    other = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONHASHSEED": "99"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert other.stdout.strip() == digest(generate(options))


def test_another_seed_gives_another_stream() -> None:
    assert digest(generate(replace(FAST, count=100))) != digest(
        generate(replace(FAST, count=100, seed=8))
    )


def test_a_later_start_has_the_same_people_and_transactions_of_its_own() -> None:
    later = dataclasses.replace(FAST, start_ms=START_MS + 120_000, count=2000)
    now, then = transactions(dataclasses.replace(FAST, count=2000)), transactions(later)
    assert {t.card_id for t, _ in now} & {t.card_id for t, _ in then}
    assert not {t.transaction_id for t, _ in now} & {t.transaction_id for t, _ in then}


def test_every_record_keeps_its_contract_and_has_its_key() -> None:
    for each in run(SLOW):
        if each.kind == "transaction":
            found = parse_transaction(each.value, currencies=FX.rates, record_time_ms=each.at_ms)
            assert (found.card_id.encode(), found.event_time_ms) == (each.key, each.at_ms)
        elif each.kind == "label":
            label = parse_label(each.value)
            assert (label.card_id.encode(), label.label_time_ms) == (each.key, each.at_ms)
        else:
            assert parse_customer(each.value).customer_id.encode() == each.key


def test_profiles_come_first_and_everything_else_by_the_clock() -> None:
    kinds = [each.kind for each in run(SLOW)]
    assert "customer" not in kinds[kinds.count("customer") :]
    times = [each.at_ms for each in run(SLOW)]
    assert times == sorted(times)


@pytest.mark.parametrize("options", [SLOW, FAST], ids=["slow", "fast"])
def test_the_clock_advances_by_the_rate(options: GeneratorOptions) -> None:
    assert options.count is not None
    times = [each.event_time_ms for each, _ in transactions(options)]
    seconds = (times[-1] - START_MS) / 1000
    assert len(times) == options.count
    assert len(times) / seconds == pytest.approx(options.rate, rel=0.05)


def test_a_duration_ends_the_stream() -> None:
    options = replace(FAST, count=None, duration_ms=5000)
    found = transactions(options)
    assert all(START_MS <= each.event_time_ms < START_MS + 5000 for each, _ in found)
    assert len(found) == pytest.approx(1000, rel=0.15)


@pytest.mark.parametrize("fraud_rate", [0.0, 0.002, 0.01, 0.1])
def test_the_share_of_fraud_is_the_target(fraud_rate: float) -> None:
    found = run(replace(FAST, fraud_rate=fraud_rate))
    frauds = sum(each.kind == "transaction" and each.scenario is not None for each in found)
    # Campaigns come whole, so the share is as coarse as a few of them.
    assert frauds == pytest.approx(20_000 * fraud_rate, rel=0.15, abs=20 if fraud_rate else 0)


def test_every_campaign_has_its_share() -> None:
    scenarios = Counter(scenario for _, scenario in transactions(SLOW) if scenario)
    assert set(scenarios) == {
        "card_testing",
        "velocity_burst",
        "impossible_travel",
        "account_takeover",
    }
    assert min(scenarios.values()) > 5


def test_each_fraud_is_labelled_once_and_late_and_some_genuine_ones_are_cleared() -> None:
    frauds = {each.transaction_id: each for each, scenario in transactions(SLOW) if scenario}
    all_ids = {each.transaction_id for each, _ in transactions(SLOW)}
    labels = [parse_label(each.value) for each in run(SLOW) if each.kind == "label"]
    fraud_labels = [label for label in labels if label.label == "fraud"]
    assert sorted(label.transaction_id for label in fraud_labels) == sorted(frauds)
    for label in fraud_labels:
        fraud = frauds[label.transaction_id]
        assert (label.card_id, label.merchant_id) == (fraud.card_id, fraud.merchant_id)
        assert label.event_time_ms == fraud.event_time_ms
        assert 0.5 * HOUR_MS <= label.label_time_ms - label.event_time_ms <= 1.5 * HOUR_MS
    cleared = {label.transaction_id for label in labels if label.label == "genuine"}
    assert cleared <= all_ids - frauds.keys()
    assert 20 <= len(cleared) <= 120  # half a per cent of 12,000


def test_labels_that_are_not_due_at_the_end_are_left_out_unless_asked_for() -> None:
    end_ms = START_MS + 20_000
    short = replace(FAST, count=None, duration_ms=20_000, label_delay_ms=10_000, fraud_rate=0.1)
    known = [each.at_ms for each in run(short) if each.kind == "label"]
    everything = [
        each.at_ms for each in run(replace(short, all_labels=True)) if each.kind == "label"
    ]
    assert known == [at_ms for at_ms in everything if at_ms < end_ms][: len(known)]
    assert 0 < len(known) < len(everything)


def test_nothing_in_a_transaction_tells_what_it_is() -> None:
    found = transactions(SLOW)
    names = {"card_testing", "velocity_burst", "impossible_travel", "account_takeover"}
    for each in run(SLOW):
        if each.kind == "transaction" and each.value is not None:
            assert not any(word in each.value.decode() for word in (*names, "fraud", "scenario"))
    shapes: dict[bool, set[tuple[str, ...]]] = {True: set(), False: set()}
    for each in run(SLOW):
        if each.kind == "transaction" and each.value is not None:
            shapes[each.scenario is not None].add(tuple(json.loads(each.value)))
    assert shapes[True] <= shapes[False]  # the same fields in the same order
    cards = Counter(each.card_id for each, _ in found)
    attacked = {each.card_id for each, scenario in found if scenario}
    assert any(
        scenario is None for each, scenario in found if each.card_id in attacked
    )  # an attacked card is also used honestly
    assert len(cards) <= 2000


def test_ids_do_not_sort_fraud_together() -> None:
    found = sorted(transactions(SLOW), key=lambda pair: pair[0].transaction_id)
    assert len({each.transaction_id for each, _ in found}) == len(found)
    frauds = [number for number, (_, scenario) in enumerate(found) if scenario]
    quarters = Counter(4 * number // len(found) for number in frauds)
    expected = len(frauds) / 4
    assert all(abs(quarters[quarter] - expected) < 4 * expected**0.5 for quarter in range(4))


def test_genuine_people_never_travel_faster_than_they_can() -> None:
    limits = {
        customer.customer_id: customer.max_speed_kmh or 900.0
        for customer in (parse_customer(e.value) for e in run(SLOW) if e.kind == "customer")
    }
    last: dict[str, Transaction] = {}
    journeys = 0
    for each, scenario in transactions(SLOW):
        if scenario is not None or each.latitude is None:
            continue
        before = last.get(each.customer_id)
        if before is not None:
            km = flat_km(before, each)
            hours = max((each.event_time_ms - before.event_time_ms) / HOUR_MS, 1 / 60)
            assert km / hours <= limits[each.customer_id]
            journeys += km > 200
        last[each.customer_id] = each
    assert journeys > 10  # and some do travel


def flat_km(one: Transaction, other: Transaction) -> float:
    """Great-circle distance from the chord, another way than the generator's haversine."""
    from math import asin, cos, dist, radians, sin

    def point(each: Transaction) -> tuple[float, float, float]:
        assert each.latitude is not None
        assert each.longitude is not None
        phi, theta = radians(each.latitude), radians(each.longitude)
        return cos(phi) * cos(theta), cos(phi) * sin(theta), sin(phi)

    return 2 * 6371.0088 * asin(min(1.0, dist(point(one), point(other)) / 2))


def test_impossible_travel_is_impossible() -> None:
    last: dict[str, Transaction] = {}
    speeds = []
    for each, scenario in transactions(SLOW):
        if each.latitude is None:
            continue
        if scenario == "impossible_travel" and each.card_id in last:
            km = flat_km(last[each.card_id], each)
            hours = max((each.event_time_ms - last[each.card_id].event_time_ms) / HOUR_MS, 1 / 60)
            speeds.append((km, km / hours))
        last[each.card_id] = each
    first_steps = [speed for km, speed in speeds if km > 500]
    assert len(first_steps) > 3
    assert min(first_steps) > 5000


def test_card_testing_is_small_amounts_and_then_large_ones() -> None:
    amounts: dict[str, list[int]] = defaultdict(list)
    for each, scenario in transactions(SLOW):
        if scenario == "card_testing":
            amounts[each.card_id].append(FX.to_base_minor(each.amount, each.currency))
    assert amounts
    for minor in amounts.values():
        assert all(each < 500 for each in minor[:3])
        assert any(each > 12_000 for each in minor[3:])


def test_a_takeover_comes_from_a_device_the_card_never_used() -> None:
    devices: dict[str, set[str | None]] = defaultdict(set)
    takeovers = 0
    for each, scenario in transactions(SLOW):
        if scenario == "account_takeover":
            takeovers += 1
            assert each.device_id not in devices[each.card_id]
            assert FX.to_base_minor(each.amount, each.currency) > 20_000
        elif scenario is None:
            devices[each.card_id].add(each.device_id)
    assert takeovers > 5


def test_honest_use_is_plausible() -> None:
    genuine = [each for each, scenario in transactions(SLOW) if scenario is None]
    share = Counter(each.channel for each in genuine)
    assert share["pos"] > share["ecom"] > share["atm"] > 0
    declined = sum(each.status == "declined" for each in genuine) / len(genuine)
    assert 0.005 < declined < 0.05
    assert any(each.kind == "refund" for each in genuine)
    large = sum(FX.to_base_minor(each.amount, each.currency) > 20_000 for each in genuine)
    assert large / len(genuine) < 0.05
    assert len({each.currency for each in genuine}) > 10


def test_people_sleep() -> None:
    berlin_hours = Counter(
        (each.event_time_ms // HOUR_MS + 1) % 24
        for each, scenario in transactions(SLOW)
        if scenario is None and each.channel != "ecom" and each.country == "DE"
    )
    night = sum(berlin_hours[hour] for hour in range(1, 5))
    noon = sum(berlin_hours[hour] for hour in range(11, 15))
    assert night * 3 < noon


def test_profiles_have_a_usual_limit_a_lower_one_or_none() -> None:
    speeds = [parse_customer(each.value).max_speed_kmh for each in run(SLOW)[:1000]]
    shares = {
        "usual": speeds.count(900.0) / 1000,
        "none": speeds.count(None) / 1000,
        "lower": sum(speed is not None and speed < 900 for speed in speeds) / 1000,
    }
    assert shares["usual"] > 0.6
    assert 0.05 < shares["none"] < 0.2
    assert 0.05 < shares["lower"] < 0.2


def test_a_zipf_law_makes_one_card_the_busiest() -> None:
    found = transactions(replace(FAST, cards=1000, count=5000, skew=1.1))
    uses = Counter(each.card_id for each, _ in found).most_common()
    assert uses[0][1] > 10 * uses[100][1]


def test_only_fraud_is_possible_too() -> None:
    found = transactions(replace(FAST, cards=50, count=200, fraud_rate=1.0))
    assert all(scenario is not None for _, scenario in found)
