"""How long after it was sent a transaction's decision can be read, at a steady rate.

A sender keeps a schedule; each record carries the moment at which it was due, so a sender that
lags makes the figure worse, not better. A consumer of committed records notes when each decision
arrives. The same sender and consumer, without the job between them, are the yardstick: what they
cost by themselves. The first seconds, when the JVM warms up, do not count.
"""

from __future__ import annotations

import dataclasses
import math
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_END, TopicPartition

from bench.own_topics import own_topics
from bench.schedule import ScheduledSending, read_stamp
from pipelines.errors import JobError, TransientError
from pipelines.flink import FlinkRest
from pipelines.generator import GeneratorOptions, generate
from pipelines.job_figures import FigureReader
from pipelines.kafka import connect_consumer, list_partitions
from pipelines.sender import KafkaSender

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from confluent_kafka import Consumer

    from bench.caller import Listener, Submit
    from pipelines.settings import KafkaSettings, Settings

WARM_UP_SECONDS = 15
YARDSTICK_SECONDS = 15
PATIENCE_SECONDS = 60.0
"""So long after the last record was sent its decision may take."""
RUNNING_SECONDS = 60.0
FETCH_WAIT_MS = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyLoad:
    """What is sent: seeded transactions on the schedule of ``rate`` a second."""

    rate: float
    seconds: int
    cards: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """Where the middle and the tail of many times lie, in milliseconds."""

    count: int
    p50_ms: float
    p95_ms: float
    p99_ms: float
    max_ms: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyRun:
    """One run of the job at one interval between checkpoints."""

    interval_ms: int
    committed: Spread
    """From the moment a record was due to the moment its decision was read, committed."""
    decide_p50_ms: int | None
    """Of that, from the job's decoder to its encoder, by the job's own metric."""
    decide_p99_ms: int | None
    sender_late: Spread
    """How late the sender itself handed records over; part of the above."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LatencyBenchmark:
    """The yardstick, and the job at each interval."""

    load: LatencyLoad
    ruleset: str
    yardstick: Spread
    runs: tuple[LatencyRun, ...]


def run_latency_benchmark(
    settings: Settings,
    load: LatencyLoad,
    *,
    intervals_ms: Sequence[int],
    ruleset: str,
    submit: Submit,
    on_progress: Listener,
) -> LatencyBenchmark:
    """Measure the yardstick and each interval on topics of their own; leaves nothing running."""
    prefix = f"latency{load.seed}-{int(time.time())}-"
    with own_topics(settings, prefix) as own:
        yardstick, _ = _measure(
            own.kafka,
            load,
            YARDSTICK_SECONDS,
            own.kafka.topics().transactions.name,
            lambda n, of: on_progress("no job", n, of),
        )
    runs = []
    for number, interval_ms in enumerate(intervals_ms):
        flink = dataclasses.replace(
            settings.flink,
            job_name=f"bench-latency-{interval_ms}",
            checkpoint_interval_ms=interval_ms,
        )
        of_run = dataclasses.replace(settings, flink=flink)
        with own_topics(of_run, f"{prefix}{number}-") as own:
            runs.append(_run_job(own, load, ruleset, submit, on_progress))
    return LatencyBenchmark(load=load, ruleset=ruleset, yardstick=yardstick, runs=tuple(runs))


def _run_job(
    settings: Settings, load: LatencyLoad, ruleset: str, submit: Submit, on_progress: Listener
) -> LatencyRun:
    rest = FlinkRest(settings.flink.rest_url)
    interval_ms = settings.flink.checkpoint_interval_ms
    words = ["--ruleset", ruleset]
    job_id = submit(settings, "flink_jobs.fraud_detection", words)["job_id"]
    try:
        rest.await_job(
            job_id,
            lambda job: job.state == "RUNNING" and rest.are_tasks_running(job_id),
            wait_seconds=RUNNING_SECONDS,
        )
        committed, late = _measure(
            settings.kafka,
            load,
            load.seconds,
            settings.kafka.topics().decisions.name,
            lambda n, of: on_progress(f"checkpoints of {interval_ms} ms", n, of),
        )
        figures = FigureReader(rest).read(job_id)
    finally:
        rest.cancel(job_id)
        rest.await_end(job_id, wait_seconds=60)
    return LatencyRun(
        interval_ms=interval_ms,
        committed=committed,
        decide_p50_ms=figures.decide_latency_p50_ms,
        decide_p99_ms=figures.decide_latency_p99_ms,
        sender_late=late,
    )


def _measure(
    kafka: KafkaSettings,
    load: LatencyLoad,
    seconds: int,
    topic: str,
    on_progress: Callable[[int, int], None],
) -> tuple[Spread, Spread]:
    """Send for a while and read ``topic``; what was readable when, and the sender's lateness."""
    total = int(load.rate * (WARM_UP_SECONDS + seconds))
    values = _prepare(kafka, load, total)
    times: list[float] = []
    arrived = 0
    with _reading_from_the_end(kafka, topic) as consumer:
        sending = ScheduledSending(kafka, values, load.rate)
        sending.start()
        counted_from = sending.first_ns + WARM_UP_SECONDS * 1_000_000_000
        for due_ns, read_ns in _arrivals(consumer, topic, total, sending.is_alive):
            arrived += 1
            if due_ns >= counted_from:
                times.append((read_ns - due_ns) / 1e6)
            if arrived % 1000 == 0:
                on_progress(arrived, total)
        sending.join()
    on_progress(arrived, total)
    if sending.failure is not None:
        raise sending.failure
    if arrived < total:
        msg = f"{total - arrived} of {total} records had no decision in {PATIENCE_SECONDS:.0f} s"
        raise JobError(msg)
    skipped = int(load.rate * WARM_UP_SECONDS)
    return spread_of(times), spread_of(sending.late_ms[skipped:])


@contextmanager
def _reading_from_the_end(kafka: KafkaSettings, topic: str) -> Iterator[Consumer]:
    consumer = connect_consumer(kafka, group="bench", **{"fetch.wait.max.ms": FETCH_WAIT_MS})
    try:
        partitions = range(list_partitions(kafka)[topic])
        consumer.assign([TopicPartition(topic, partition, OFFSET_END) for partition in partitions])
        consumer.poll(1.0)  # settles where the end is, before anything is sent
        yield consumer
    finally:
        consumer.close()


def _arrivals(
    consumer: Consumer, topic: str, total: int, is_sending: Callable[[], bool]
) -> Iterator[tuple[int, int]]:
    """When each record was due and when it was read, until all are there or patience ends."""
    patient_until = math.inf
    arrived = 0
    while arrived < total:
        message = consumer.poll(0.1)
        if message is None:
            if not is_sending():
                patient_until = min(patient_until, time.monotonic() + PATIENCE_SECONDS)
            if time.monotonic() > patient_until:
                return
            continue
        error = message.error()
        if error is not None:
            msg = f"reading {topic} failed: {error.str()}"
            raise TransientError(msg)
        read_ns = time.time_ns()
        arrived += 1
        yield read_stamp(message.value() or b""), read_ns


def _prepare(kafka: KafkaSettings, load: LatencyLoad, count: int) -> list[tuple[bytes, bytes]]:
    """The transactions to send, in memory; the customers among them are sent at once."""
    options = GeneratorOptions(
        seed=load.seed,
        start_ms=time.time_ns() // 1_000_000 - int(count / load.rate * 1000) - 60_000,
        cards=load.cards,
        rate=load.rate,
        count=count,
    )
    sender = KafkaSender(kafka)
    values = []
    for emission in generate(options):
        if emission.kind == "customer":
            sender.send(kafka.topics().customers.name, emission.key, emission.value)
        elif emission.kind == "transaction" and emission.value is not None:
            values.append((emission.key, emission.value))
    sender.flush()
    return values


def spread_of(times_ms: Sequence[float]) -> Spread:
    """The spread, each quantile a time that was measured."""
    if not times_ms:
        msg = "nothing was measured: send for longer"
        raise JobError(msg)
    ordered = sorted(times_ms)

    def at(share: float) -> float:
        return ordered[min(len(ordered), math.ceil(share * len(ordered))) - 1]

    return Spread(
        count=len(ordered), p50_ms=at(0.5), p95_ms=at(0.95), p99_ms=at(0.99), max_ms=ordered[-1]
    )
