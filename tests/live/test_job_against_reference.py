"""Every declared feature, computed by the job inside Flink, equals the slow reference."""

from __future__ import annotations

import dataclasses
import random
import time
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from pipeline_runs import await_values, running_job

from pipelines.contracts.transaction import Transaction, encode_transaction
from pipelines.features import load_features
from pipelines.fx import load_fx
from pipelines.kafka import connect_producer
from pipelines.reference import Arrival, decide_stream

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.settings import Settings, StateBackend

pytestmark = pytest.mark.live

SEED = 20261124
FEATURES = load_features()
NAMES = [feature.name for feature in FEATURES.features]
MINUTE, DAY = 60_000, 86_400_000
# Bursts and ties, edges of windows, and silences after which keys are forgotten. No key comes to
# 256 events within its longest window: beyond that, features are estimates.
STEPS = [0, 0, 1, 999, 1000, 9_999, 10_000, MINUTE, 10 * MINUTE, 60 * MINUTE]
SILENCES = [31 * DAY, 91 * DAY, 190 * DAY]
# Later than half a day, and what was forgotten meanwhile would be missed.
DELAYS = [0, 0, 0, 0, 1, 5_000, 10_000, MINUTE, 60 * MINUTE, 12 * 60 * MINUTE]
BETWEEN_SILENCES = 200
RULES = """
[ruleset]
id = "everything"
combine = "sum"
review_at = 1
block_at = 2
[[rule]]
id = "never"
owner = "me"
state = "active"
weight = 1
when = "{condition}"
because = "never"
"""


def stream() -> list[Transaction]:
    """Uses of few cards, half of them at one merchant, with repeats and missing fields."""
    print(f"seed {SEED}")
    draw = random.Random(SEED)
    clock = time.time_ns() // 1_000_000 - 365 * DAY
    transactions: list[Transaction] = []
    for number in range(BETWEEN_SILENCES * (len(SILENCES) + 1)):
        clock += draw.choice(STEPS)
        if number % BETWEEN_SILENCES == 0 and number > 0:
            clock += SILENCES[number // BETWEEN_SILENCES - 1]
        if transactions and draw.random() < 0.05:
            transactions.append(draw.choice(transactions[-20:]))
            continue
        has_place = draw.random() < 0.8
        transactions.append(
            Transaction(
                transaction_id=f"t{number}",
                event_time_ms=clock - draw.choice(DELAYS),
                card_id=f"c{draw.randrange(6)}",
                customer_id=f"u{draw.randrange(4)}",
                merchant_id="hot" if draw.random() < 0.5 else f"m{draw.randrange(30)}",
                merchant_category=f"{draw.randrange(5):04d}",
                amount=Decimal(draw.randrange(10**6)) / 100,
                currency=draw.choice(["EUR", "EUR", "USD", "JPY"]),
                channel=draw.choice(["pos", "pos", "ecom", "atm"]),
                kind=draw.choice([None, None, "purchase", "refund", "withdrawal"]),
                status=draw.choice([None, None, "approved", "declined"]),
                country=draw.choice([None, "DE", "FR", "US"]),
                device_id=draw.choice([None, f"d{draw.randrange(5)}"]),
                ip_address=draw.choice([None, f"10.0.0.{draw.randrange(5)}"]),
                latitude=draw.choice([52.5, 48.85, -33.9, 90.0]) if has_place else None,
                longitude=draw.choice([13.4, 2.35, 151.2, -180.0]) if has_place else None,
            )
        )
    return transactions


@pytest.mark.parametrize("backend", ["hashmap", "rocksdb"])
def test_every_feature_equals_the_reference(
    settings: Settings, tmp_path: Path, backend: StateBackend
) -> None:
    rules = tmp_path / "everything.toml"
    condition = " or ".join(f"{name} > 1e15" for name in NAMES)
    rules.write_text(RULES.format(condition=condition), encoding="utf-8")
    # One partition and one task of each stage: what comes to a merchant comes in this order.
    flink = dataclasses.replace(settings.flink, parallelism=1, state_backend=backend)
    own, transactions = dataclasses.replace(settings, flink=flink), stream()
    with running_job(own, ruleset=str(rules)):
        producer = connect_producer(own.kafka)
        for item in transactions:
            value = encode_transaction(item)
            producer.produce(own.kafka.topics().transactions.name, value=value, partition=0)
        assert producer.flush(30) == 0
        found = await_values(own.kafka, own.kafka.topics().decisions.name, len(transactions))
    assert len(found) == len(transactions)
    arrivals = [Arrival(transaction=t, partition=0, offset=n) for n, t in enumerate(transactions)]
    expected = decide_stream(arrivals, stages=FEATURES.select(NAMES), fx=load_fx())
    by_offset = {item["source"]["offset"]: item for item in found}
    assert sum(item["is_late"] for item in found) > 50
    for wanted in expected:
        decision = by_offset[wanted.offset]
        where = f"offset {wanted.offset}"
        assert decision["is_duplicate"] == wanted.is_duplicate, where
        assert decision.get("duplicate_of_offset") == wanted.duplicate_of_offset, where
        assert decision.get("previous_transaction_id") == wanted.previous_transaction_id, where
        for name in NAMES:
            value, right = decision["features"].get(name), wanted.features.get(name)
            if right is None or value is None:
                assert value is right, f"{where} {name}: {value} is not {right}"
            else:
                assert value == pytest.approx(right, rel=1e-9, abs=1e-9), f"{where} {name}"
