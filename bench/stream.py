"""How many transactions a second the job decides, beside a job that only passes bytes through.

Both read the same topic, already full, on the same cluster, one after the other, exactly once. The
rate is the slope between two points of a run, so that start-up and the JVM's warm-up stay out: the
committed source offsets are sampled, and the first third of the records and the last tenth (where
one partition may run alone) do not count. A yardstick of the same run is what makes the figure
comparable between machines.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import psutil
from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from pipelines.errors import JobError, TerminalError
from pipelines.flink import FlinkRest
from pipelines.generator import GeneratorOptions, generate
from pipelines.kafka import (
    connect_consumer,
    create_topics,
    delete_topics,
    read_group_offsets,
    read_offsets,
)
from pipelines.sender import KafkaSender

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pipelines.flink import Checkpoints
    from pipelines.settings import KafkaSettings, Settings, StateBackend

POLL_SECONDS = 0.2
SILENCE_SECONDS = 2.0
LONGEST_RUN_SECONDS = 900.0
FIRST_SHARE = 1 / 3
LAST_SHARE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one job reached."""

    job: str
    records_per_second: float
    cpu_us_per_record: float
    """Of all processes on the machine, the broker included."""
    checkpoint_ms: float | None = None
    """How long a checkpoint took, the median; None for what makes none of Flink's."""
    state_bytes: int | None = None
    """Of the last one: all that the job keeps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What both jobs read: seeded transactions on cards whose use follows a Zipf law."""

    records: int
    cards: int
    zipf: float
    seed: int
    uses_per_day: float
    """Of a card, on average: how dense the stream is in event time."""

    @property
    def per_second(self) -> float:
        """Transactions in a second of event time, on all cards."""
        return self.cards * self.uses_per_day / 86_400


class Submit(Protocol):
    """Starts a program of ``flink_jobs`` with these words; the answer holds the job's id."""

    def __call__(self, settings: Settings, module: str, words: list[str]) -> Mapping[str, str]: ...


class Listener(Protocol):
    """Hears of the step, the records done and their total."""

    def __call__(self, step: str, done: int, total: int) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamBenchmark:
    """One run: the yardstick and the job, on the same bytes."""

    load: Load
    bytes_per_record: float
    pass_through: Rate
    fraud_detection: Mapping[StateBackend, Rate]
    flagged: int
    """Transactions that belong to an alert, and so cost more than the others."""
    python_loop: Rate | None = None
    """The plain loop of ``bench/python_loop.py``, where it was asked for."""

    @property
    def shares(self) -> dict[StateBackend, float]:
        """The job's rates as shares of the yardstick's."""
        yardstick = self.pass_through.records_per_second
        return {
            backend: rate.records_per_second / yardstick
            for backend, rate in self.fraud_detection.items()
        }


@dataclass(frozen=True, slots=True)
class _Sample:
    seconds: float
    records: int
    cpu_seconds: float


def run_stream_benchmark(
    settings: Settings,
    load: Load,
    *,
    ruleset: str,
    backends: Sequence[StateBackend],
    submit: Submit,
    on_progress: Listener,
    with_loop: bool = False,
) -> StreamBenchmark:
    """Fill a topic of its own, run all jobs over it, and leave nothing running."""
    prefix = f"bench{load.seed}-{int(time.time())}-"
    kafka = dataclasses.replace(settings.kafka, topic_prefix=prefix)
    create_topics(kafka, kafka.topics().all())
    try:
        own = dataclasses.replace(settings, kafka=kafka)
        result = _Run(own, load, submit, on_progress).measure(ruleset, backends)
        if with_loop:
            loop = _measure_loop(settings, kafka, load.records, on_progress)
            result = dataclasses.replace(result, python_loop=loop)
        return result
    finally:
        delete_topics(kafka, kafka.topics().all())


class _Run:
    """The jobs of one call of ``run_stream_benchmark``, one after the other."""

    def __init__(
        self, settings: Settings, load: Load, submit: Submit, on_progress: Listener
    ) -> None:
        self._settings = settings
        self._load = load
        self._submit = submit
        self._on_progress = on_progress

    def measure(self, ruleset: str, backends: Sequence[StateBackend]) -> StreamBenchmark:
        kafka = self._settings.kafka
        size = _fill_topic(kafka, self._load, self._on_progress)
        pass_through = self._rate("pass-through", "flink_jobs.pass_through", [], backends[0])
        rates: dict[StateBackend, Rate] = {}
        for backend in backends:
            words = ["--ruleset", ruleset]
            name = f"fraud-detection-{backend}"
            rates[backend] = self._rate(name, "flink_jobs.fraud_detection", words, backend)
        return StreamBenchmark(
            load=self._load,
            bytes_per_record=size,
            pass_through=pass_through,
            fraud_detection=rates,
            # Every job has raised the same alerts.
            flagged=round(_count_flagged(kafka) / len(backends)),
        )

    def _rate(self, name: str, module: str, words: list[str], backend: StateBackend) -> Rate:
        flink = dataclasses.replace(
            self._settings.flink, job_name=f"bench-{name}", state_backend=backend
        )
        own = dataclasses.replace(self._settings, flink=flink)
        job_id = self._submit(own, module, words)["job_id"]
        return _measure(own, name, job_id, self._load.records, self._on_progress)


def _count_flagged(kafka: KafkaSettings) -> int:
    """Each flagged transaction is a revision of an alert."""
    topic = kafka.topics().alerts.name
    ends = read_offsets(kafka, topic)
    consumer = connect_consumer(kafka, group=f"{kafka.topic_prefix}count")
    try:
        consumer.assign([TopicPartition(topic, number, OFFSET_BEGINNING) for number in ends])
        count, silent_at = 0, time.monotonic() + SILENCE_SECONDS
        while time.monotonic() < silent_at:
            found = consumer.consume(10_000, 0.5)
            if found:
                count, silent_at = count + len(found), time.monotonic() + SILENCE_SECONDS
    finally:
        consumer.close()
    return count


def _fill_topic(kafka: KafkaSettings, load: Load, on_progress: Listener) -> float:
    """Send the transactions, customers first; the mean size of a value in bytes."""
    span_ms = int(load.records / load.per_second * 1000)
    options = GeneratorOptions(
        seed=load.seed,
        start_ms=time.time_ns() // 1_000_000 - span_ms - 60_000,
        cards=load.cards,
        rate=load.per_second,
        count=load.records,
        skew=load.zipf,
    )
    topics = kafka.topics()
    sender = KafkaSender(kafka)
    names = {
        "transaction": topics.transactions.name,
        "customer": topics.customers.name,
        "label": topics.labels.name,
    }
    size = sent = 0
    for emission in generate(options):
        if emission.kind not in names:
            continue
        sender.send(names[emission.kind], emission.key, emission.value)
        if emission.kind == "transaction":
            sent += 1
            size += len(emission.value or b"")
            if sent % 10_000 == 0:
                on_progress("filling the topic", sent, load.records)
    sender.flush()
    if sender.failed:
        msg = f"{sender.failed.total()} records were not sent: {sender.last_failure}"
        raise TerminalError(msg)
    return size / sent


def _measure(
    settings: Settings, name: str, job_id: str, records: int, on_progress: Listener
) -> Rate:
    rest = FlinkRest(settings.flink.rest_url)
    made: list[Checkpoints] = []

    def note(done: int) -> None:
        made.append(rest.checkpoints(job_id))
        on_progress(name, done, records)

    try:
        samples = _watch(settings, lambda: rest.root_cause(job_id), job_id, records, note)
    finally:
        rest.cancel(job_id)
        rest.await_end(job_id, wait_seconds=60)
    took = [one.latest_duration_ms for one in made if one.latest_duration_ms is not None]
    return dataclasses.replace(
        _slope(name, samples, records),
        checkpoint_ms=statistics.median(took) if took else None,
        state_bytes=made[-1].latest_bytes,
    )


def _measure_loop(
    settings: Settings, kafka: KafkaSettings, records: int, on_progress: Listener
) -> Rate:
    from bench.python_loop import running_loops  # orjson, which only this needs

    name = "python-loop"
    own = dataclasses.replace(
        settings, kafka=kafka, flink=dataclasses.replace(settings.flink, job_name=name)
    )
    with running_loops(kafka, f"{kafka.topic_prefix}{name}"):
        samples = _watch(own, lambda: None, name, records, lambda n: on_progress(name, n, records))
    return _slope(name, samples, records)


def _watch(
    settings: Settings,
    find_cause: Callable[[], str | None],
    job_id: str,
    records: int,
    on_progress: Callable[[int], None],
) -> list[_Sample]:
    topic = settings.kafka.topics().transactions.name
    samples: list[_Sample] = []
    deadline = time.monotonic() + LONGEST_RUN_SECONDS
    while time.monotonic() < deadline:
        done = sum(read_group_offsets(settings.kafka, settings.job_group, topic).values())
        if not samples or done != samples[-1].records:
            samples.append(_Sample(time.monotonic(), done, _cpu_seconds()))
            on_progress(done)
        if done >= records:
            return samples
        time.sleep(POLL_SECONDS)
    cause = find_cause() or "it is only slow"
    msg = f"job {job_id} did not read {records} records in {LONGEST_RUN_SECONDS:.0f} s: {cause}"
    raise JobError(msg)


def _cpu_seconds() -> float:
    times = psutil.cpu_times()
    return float(times.user + times.system + getattr(times, "softirq", 0.0))


def _slope(name: str, samples: list[_Sample], records: int) -> Rate:
    first = next(sample for sample in samples if sample.records >= records * FIRST_SHARE)
    last = next(sample for sample in samples if sample.records >= records * LAST_SHARE)
    done = last.records - first.records
    if done <= 0:
        msg = f"{name} was too quick to measure: send more than {records} records"
        raise JobError(msg)
    return Rate(
        job=name,
        records_per_second=done / (last.seconds - first.seconds),
        cpu_us_per_record=(last.cpu_seconds - first.cpu_seconds) * 1e6 / done,
    )
