"""Confirmed frauds in Java and in the obvious reference say the same of random streams."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest
from kernel_process import FX, running
from test_kernel_plans import DAY, START, make_stream

from pipelines.contracts.label import Label
from pipelines.features import Feature, Features
from pipelines.reference import Told, decide_stream

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence

    from pipelines.contracts.transaction import Transaction
    from pipelines.features import Stage
    from pipelines.reference import Arrival


class Frauds:
    """The process that counts frauds."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def begin(self, stage: Stage) -> None:
        self._send("plan", stage.plan_json())

    def learn(self, key: str, label: Label) -> None:
        is_fraud = int(label.label == "fraud")
        words = (label.transaction_id, label.event_time_ms, is_fraud, label.label_time_ms)
        self._send("learn", key, *words)

    def count(self, key: str, time_ms: int) -> list[float]:
        self._send("count", key, time_ms)
        assert self._process.stdout is not None
        return [float(word) for word in self._process.stdout.readline().split("\t")]

    def _send(self, *words: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write("\t".join(map(str, words)) + "\n")
        self._process.stdin.flush()


@pytest.fixture(scope="module")
def frauds(class_path: str) -> Iterator[Frauds]:
    with running(class_path, "io.fraudlake.profile.FraudHarness") as process:
        yield Frauds(process)


def make_feature(aggregate: str, days: int, delay: int, entity: str = "merchant") -> Feature:
    return Feature(
        name=f"{entity}_{aggregate}_{days}d_{delay}d",
        entity=entity,
        aggregate=aggregate,
        kind="number",
        about="F",
        window_ms=days * DAY,
        delay_ms=delay * DAY,
        prior=0.01,
        prior_weight=3.0,
        excludes_current=True,
    )


def stage_of(features: Sequence[Feature]) -> tuple[Stage, ...]:
    return Features(features=tuple(features), filters=()).select(one.name for one in features)


def make_label(use: Transaction, label: str, after_ms: int) -> Label:
    return Label(
        transaction_id=use.transaction_id,
        card_id=use.card_id,
        merchant_id=use.merchant_id,
        event_time_ms=use.event_time_ms,
        label=label,
        source="investigator",
        label_time_ms=use.event_time_ms + after_ms,
        device_id=use.device_id,
    )


def make_labels(draw: random.Random, arrivals: Sequence[Arrival]) -> list[Told]:
    """Several for a transaction at times, some long before or after it, in any order."""
    told = []
    for number, arrival in enumerate(arrivals):
        for _ in range(draw.choice([0, 0, 1, 1, 2, 4])):
            label = draw.choice(["fraud", "fraud", "genuine"])
            after_ms = draw.choice([0, 1, DAY, 5 * DAY, draw.randrange(40 * DAY)])
            behind = draw.choice([0, number, number + 1, draw.randrange(len(arrivals))])
            told.append(Told(behind=behind, label=make_label(arrival.transaction, label, after_ms)))
    return sorted(told, key=lambda one: one.behind)


@pytest.mark.parametrize("entity", ["merchant", "device"])
@pytest.mark.parametrize("seed", range(20))
def test_random_labels_come_to_the_same_shares(frauds: Frauds, seed: int, entity: str) -> None:
    draw = random.Random(seed)
    features = [
        make_feature(aggregate, draw.choice([1, 7, 30]), draw.choice([0, 1, 7]), entity)
        for aggregate in ("fraud_share", "fraud_count")
    ]
    stages = stage_of(features)
    arrivals = make_stream(draw, 120, values=3)
    told = make_labels(draw, arrivals)
    expected = decide_stream(arrivals, stages=stages, fx=FX, told=told)
    frauds.begin(stages[-1])
    for number, (arrival, wanted) in enumerate(zip(arrivals, expected, strict=True)):
        for one in (one for one in told if one.behind == number):
            if (key := getattr(one.label, f"{entity}_id")) is not None:
                frauds.learn(key, one.label)
        key = getattr(arrival.transaction, f"{entity}_id")
        if wanted.is_duplicate or key is None:
            continue
        found = frauds.count(key, arrival.transaction.event_time_ms)
        right = [wanted.features[one.name] for one in stages[-1].features]
        assert found == pytest.approx(right, rel=1e-12), f"seed {seed} offset {wanted.offset}"


def test_a_share_worked_out_by_hand(frauds: Frauds) -> None:
    """Ten transactions on the first day, two of them frauds; asked eight days later."""
    (_, stage) = stage_of([make_feature("fraud_share", 7, 1)])
    frauds.begin(stage)
    (arrival,) = make_stream(random.Random(0), 1)
    midnight = START - START % DAY
    for hour in range(10):
        frauds.count("m1", midnight + hour * 3_600_000)
    for number in (1, 2):
        use = Told(behind=0, label=make_label(arrival.transaction, "fraud", 0)).label
        frauds.learn(
            "m1",
            Label(
                transaction_id=f"t{number}",
                card_id=use.card_id,
                merchant_id="m1",
                event_time_ms=midnight,
                label="fraud",
                source="chargeback",
                label_time_ms=midnight + 8 * DAY,
            ),
        )
    # (0 + 3 * 0.01) / (10 + 3) a moment before they became known, (2 + 0.03) / 13 from then on.
    assert frauds.count("m1", midnight + 8 * DAY - 1) == [pytest.approx(0.03 / 13)]
    assert frauds.count("m1", midnight + 8 * DAY) == [pytest.approx(2.03 / 13)]
    # On the ninth day the window has left the first; what was counted on the eighth is not in it.
    assert frauds.count("m1", midnight + 9 * DAY) == [pytest.approx(0.03 / 4)]
    assert frauds.count("m2", midnight + 9 * DAY) == [pytest.approx(0.01)]


def test_a_fraud_is_taken_back_from_the_moment_of_the_label_that_says_so(frauds: Frauds) -> None:
    (_, stage) = stage_of([make_feature("fraud_count", 30, 0)])
    frauds.begin(stage)
    (arrival,) = make_stream(random.Random(0), 1)
    use = arrival.transaction
    day = use.event_time_ms // DAY * DAY + DAY
    frauds.learn("m1", make_label(use, "fraud", 0))
    frauds.learn("m1", make_label(use, "genuine", day + 10 - use.event_time_ms))
    assert [frauds.count("m1", day + ms) for ms in (9, 10, 11)] == [[1], [0], [0]]


def test_of_very_many_frauds_the_oldest_count_by_their_day(frauds: Frauds) -> None:
    (_, stage) = stage_of([make_feature("fraud_count", 30, 0)])
    frauds.begin(stage)
    (arrival,) = make_stream(random.Random(0), 1)
    label = make_label(arrival.transaction, "fraud", 0)
    for number in range(1500):
        own = Label(
            transaction_id=f"t{number}",
            card_id=label.card_id,
            merchant_id="m1",
            event_time_ms=START + number % 5 * DAY,
            label="fraud",
            source="chargeback",
            label_time_ms=START,
        )
        frauds.learn("m1", own)
    assert frauds.count("m1", START + 10 * DAY) == [1500]
    assert frauds.count("m1", START + 31 * DAY) == [1200]
