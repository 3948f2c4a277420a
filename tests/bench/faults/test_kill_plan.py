"""Kills: seeded, each server in its turn, spread over the run."""

from __future__ import annotations

from collections import Counter

from bench.faults.kills import plan_kills


def test_the_same_seed_gives_the_same_kills_and_another_seed_others() -> None:
    plan = plan_kills(seed=7, kills=10, records=1_000_000)
    assert plan == plan_kills(seed=7, kills=10, records=1_000_000)
    assert plan != plan_kills(seed=8, kills=10, records=1_000_000)


def test_each_server_is_killed_as_often_as_the_others() -> None:
    victims = Counter(kill.victim for kill in plan_kills(seed=7, kills=10, records=1_000_000))
    assert sorted(victims.values()) == [3, 3, 4]
    assert {kill.victim for kill in plan_kills(seed=1, kills=3, records=9)} == {
        "taskmanager",
        "jobmanager",
        "broker",
    }


def test_one_kill_in_each_stretch_between_a_twentieth_and_three_quarters() -> None:
    for seed in range(50):
        moments = [kill.at_records for kill in plan_kills(seed=seed, kills=7, records=1000)]
        for number, moment in enumerate(moments):
            assert 50 + 100 * number <= moment <= 150 + 100 * number
        assert all(0 <= kill.delay_s <= 1 for kill in plan_kills(seed=seed, kills=7, records=9))


def test_without_kills_nothing_is_planned() -> None:
    assert plan_kills(seed=7, kills=0, records=1000) == ()
