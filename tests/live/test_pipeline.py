"""The whole pipeline under a kill: every offset ends once, in every place it belongs."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest
from pipeline_runs import read_values, running_job, running_sinks

from fraudlake.stack.status import read_status
from pipelines.generator import GeneratorOptions, generate
from pipelines.generator.disturbances import Disturbances, disturb
from pipelines.kafka import read_group_offsets
from pipelines.pacing import Pace
from pipelines.producer import Produced, produce
from pipelines.sender import KafkaSender
from sinks.reconciliation.counts import Finding, judge
from sinks.reconciliation.evidence import gather

if TYPE_CHECKING:
    from pipelines.settings import Settings

pytestmark = pytest.mark.live

TRANSACTIONS = 20_000
MALFORMED = 50
REPEATS = 100
SEED = 20_261_123
SPAN_MS = 4 * 3_600_000
SECONDS = 10.0


def send_all(settings: Settings) -> Produced:
    """20,000 transactions of four hours that end now, within about ten seconds."""
    options = GeneratorOptions(
        seed=SEED,
        start_ms=time.time_ns() // 1_000_000 - SPAN_MS,
        cards=2000,
        rate=TRANSACTIONS / (SPAN_MS / 1000),
        fraud_rate=0.02,
        label_delay_ms=60_000,
        all_labels=True,
        count=TRANSACTIONS,
        duration_ms=None,
    )
    stream = disturb(
        generate(options),
        Disturbances(malformed=MALFORMED, repeats=REPEATS, late_share=0.02),
        seed=SEED,
        count=TRANSACTIONS,
    )
    killed = False

    def kill_once(produced: Produced) -> None:
        nonlocal killed
        if not killed and produced.transactions > TRANSACTIONS // 2:
            killed = True
            kill_taskmanager(settings)

    pace = Pace(speed=SPAN_MS / 1000 / SECONDS, clock=time.monotonic)
    produced = produce(
        stream,
        KafkaSender(settings.kafka),
        settings.kafka.topics(),
        pace=pace,
        on_progress=kill_once,
    )
    assert killed
    return produced


def kill_taskmanager(settings: Settings) -> None:
    (part,) = [part for part in read_status(settings).parts if part.name == "taskmanager-1"]
    assert part.pid is not None
    os.kill(part.pid, signal.SIGKILL)


def await_balance(settings: Settings, expected: int, seconds: float) -> tuple[Finding, ...]:
    """The findings once everything sent is accounted for, or the last ones."""
    deadline = time.monotonic() + seconds
    group = f"{settings.kafka.topic_prefix}{settings.flink.job_name}"
    topic = settings.kafka.topics().transactions.name
    while sum(read_group_offsets(settings.kafka, group, topic).values()) < expected:
        assert time.monotonic() < deadline, "the job did not read everything"
        time.sleep(0.5)
    while True:
        findings = judge(gather(settings))
        if all(finding.is_balanced for finding in findings) or time.monotonic() > deadline:
            return findings
        time.sleep(0.5)


def test_every_offset_ends_once_although_the_taskmanager_is_killed(settings: Settings) -> None:
    print(f"seed {SEED}")
    offsets = TRANSACTIONS + MALFORMED + REPEATS
    with running_job(settings, ruleset="classic"), running_sinks(settings):
        produced = send_all(settings)
        assert (produced.transactions, produced.malformed) == (TRANSACTIONS, MALFORMED)
        assert (produced.repeats, sum(produced.failed.values())) == (REPEATS, 0)
        findings = await_balance(settings, offsets, 150)
    for finding in findings:
        assert finding.is_balanced, finding
    by_name = {finding.what: finding for finding in findings}
    assert by_name["transactions -> decisions + dead letters"].expected == offsets
    assert by_name["dead letters -> Iceberg"].expected == MALFORMED
    assert by_name["decisions -> Iceberg"].expected == TRANSACTIONS + REPEATS

    decisions = read_values(settings.kafka, settings.kafka.topics().decisions.name)
    assert sum(decision["is_duplicate"] for decision in decisions) == REPEATS
    ids = Counter(
        decision["transaction"]["transaction_id"]
        for decision in decisions
        if not decision["is_duplicate"]
    )
    assert len(ids) == TRANSACTIONS
    assert set(ids.values()) == {1}
