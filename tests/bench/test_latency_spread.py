"""Quantiles of the latency benchmark are times that were measured."""

from __future__ import annotations

import json

import pytest

from bench.latency import Spread, spread_of
from bench.schedule import read_stamp, stamp
from pipelines.contracts.transaction import parse_transaction
from pipelines.errors import JobError


def test_quantiles_are_nearest_ranks() -> None:
    times = [float(value) for value in range(200, 0, -1)]
    assert spread_of(times) == Spread(count=200, p50_ms=100, p95_ms=190, p99_ms=198, max_ms=200)
    assert spread_of([7.0]) == Spread(count=1, p50_ms=7, p95_ms=7, p99_ms=7, max_ms=7)


def test_nothing_measured_is_refused() -> None:
    with pytest.raises(JobError, match="send for longer"):
        spread_of([])


def test_record_with_its_moment_keeps_the_contract() -> None:
    record = {
        "transaction_id": "t1",
        "event_time": "2026-03-01T12:00:00Z",
        "card_id": "c1",
        "customer_id": "u1",
        "merchant_id": "m1",
        "merchant_category": "5411",
        "amount": 12.5,
        "currency": "EUR",
        "channel": "pos",
    }
    stamped = stamp(json.dumps(record).encode(), 1_700_000_000_000_000_000)
    assert parse_transaction(stamped, currencies={"EUR": 1}).transaction_id == "t1"
    decision = b'{"decision_id":"d","transaction":%b,"base_amount":12.5}' % stamped
    assert read_stamp(decision) == 1_700_000_000_000_000_000
