"""TaskManager, JobManager and broker are killed: every decision is there once, and the same."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

import pytest

from bench.faults.comparison import DERIVED
from bench.faults.run import run_fault_bench
from bench.faults.traffic import FaultLoad, span_ms
from fraudlake.job.local_operator import LocalOperator
from pipelines.features import load_features

if TYPE_CHECKING:
    from pipelines.settings import Settings

pytestmark = pytest.mark.live

RECORDS = 60_000
RATE = 3000.0
ACROSS_CARDS = {
    f"features.{feature.name}"
    for feature in load_features().features
    if feature.entity in {"merchant", "device", "ip"}
}


@pytest.mark.timeout(900)
def test_every_decision_once_and_the_same_although_each_server_is_killed(stack: Settings) -> None:
    if stack.kafka.external or stack.flink.external:
        pytest.skip("the servers are external")
    seed = secrets.randbelow(1_000_000)
    print(f"seed {seed}")
    load = FaultLoad(
        records=RECORDS,
        seed=seed,
        rate=RATE,
        start_ms=time.time_ns() // 1_000_000 - span_ms(RECORDS),
    )
    report = run_fault_bench(
        stack,
        load,
        kills=3,
        ruleset="baseline",
        operator=LocalOperator(stack),
        on_progress=lambda step, done, total: None,
        say=print,
    )
    print(report)
    assert report.is_well
    assert report.kills_by_victim == {"taskmanager": 1, "jobmanager": 1, "broker": 1}
    # A TaskManager that is gone and a JobManager that is gone both take the job along.
    assert report.restores >= 2
    # 60,000, a repeat for every hundredth, a broken one for every thousandth.
    assert report.input_records == 60_660
    for side in (report.killed, report.replayed):
        assert (side.decisions, side.letters) == (60_600, 60)
        assert side.alerts > 0
    # A card's own history is the same; what cards share depends on the order of arrival.
    assert set(report.differences.members) - DERIVED <= ACROSS_CARDS
