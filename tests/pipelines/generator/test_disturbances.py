from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from itertools import pairwise

import pytest

from pipelines.contracts.faults import ContractFault, FaultReason
from pipelines.contracts.transaction import parse_transaction
from pipelines.fx import load_fx
from pipelines.generator import Emission, GeneratorOptions, generate
from pipelines.generator.disturbances import BREAKS, Disturbances, disturb

RATES = load_fx().rates
OPTIONS = GeneratorOptions(seed=1, start_ms=1_772_366_400_000, cards=100, rate=50.0, count=1000)


def run(wanted: Disturbances, count: int | None = 1000) -> list[Emission]:
    return list(disturb(generate(OPTIONS), wanted, seed=1, count=count))


@pytest.mark.parametrize(("count", "expected"), [(1000, 25), (None, 10)])
def test_as_many_as_asked_for_are_spread_over_the_stream(count: int | None, expected: int) -> None:
    emissions = run(Disturbances(malformed=25, repeats=25), count)
    kinds = Counter(each.kind for each in emissions)
    assert (kinds["malformed"], kinds["repeat"], kinds["transaction"]) == (
        expected,
        expected,
        1000,
    )
    places = [number for number, each in enumerate(emissions) if each.kind == "malformed"]
    gaps = [later - sooner for sooner, later in pairwise(places)]
    assert max(gaps) < 3 * min(gaps)


def test_more_disturbances_than_transactions_all_come() -> None:
    kinds = Counter(each.kind for each in run(Disturbances(malformed=2500, repeats=1)))
    assert (kinds["malformed"], kinds["repeat"]) == (2500, 1)


def test_broken_records_are_refused_for_every_reason_in_turn() -> None:
    found = []
    for each in run(Disturbances(malformed=22)):
        if each.kind == "malformed":
            with pytest.raises(ContractFault) as caught:
                parse_transaction(each.value, currencies=RATES, record_time_ms=each.at_ms)
            found.append(caught.value.reason)
    assert found == [*BREAKS, *BREAKS]
    assert set(BREAKS) == set(FaultReason)


def test_a_repeat_is_a_transaction_that_was_sent_before_byte_for_byte() -> None:
    seen: set[tuple[bytes, bytes | None]] = set()
    for each in run(Disturbances(repeats=40)):
        if each.kind == "repeat":
            assert (each.key, each.value) in seen
        seen.add((each.key, each.value))


def test_late_transactions_arrive_up_to_five_seconds_after_their_event() -> None:
    emissions = run(Disturbances(late_share=0.1))
    delays = []
    newest: dict[bytes, int] = defaultdict(int)
    overtaken = 0
    for each in emissions:
        if each.kind == "transaction":
            event_ms = parse_transaction(each.value, currencies=RATES).event_time_ms
            delays.append(each.at_ms - event_ms)
            overtaken += event_ms < newest[each.key]
            newest[each.key] = max(newest[each.key], event_ms)
    assert [each.at_ms for each in emissions] == sorted(each.at_ms for each in emissions)
    assert 50 < sum(delay > 0 for delay in delays) < 150
    assert max(delays) <= 5000
    assert overtaken > 0
    quiet = {each.value for each in generate(OPTIONS)}
    assert {each.value for each in emissions} == quiet


def test_without_disturbances_the_stream_is_as_it_was() -> None:
    assert run(Disturbances()) == list(generate(OPTIONS))


def test_the_same_seed_disturbs_in_the_same_way() -> None:
    wanted = Disturbances(malformed=5, repeats=5, late_share=0.05)
    assert run(wanted) == run(replace(wanted))
