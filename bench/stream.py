"""How many transactions a second the job decides, beside a job that only passes bytes through.

Both read the same topic, already full, on the same cluster, one after the other, exactly once. A
yardstick of the same run is what makes the figure comparable between machines. How a rate is taken:
``rate.py``.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from confluent_kafka import OFFSET_BEGINNING, TopicPartition

from bench.own_topics import own_topics
from bench.rate import Rate, sample_offsets, slope_of
from pipelines.errors import TerminalError
from pipelines.flink import FlinkRest
from pipelines.generator import GeneratorOptions, generate
from pipelines.kafka import connect_consumer, read_offsets
from pipelines.sender import KafkaSender

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.caller import Listener, Submit
    from pipelines.flink import Checkpoints
    from pipelines.settings import KafkaSettings, Settings, StateBackend

SILENCE_SECONDS = 2.0


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
    with own_topics(settings, f"bench{load.seed}-{int(time.time())}-") as own:
        run = _Run(own, load, submit, on_progress)
        size = _fill_topic(own.kafka, load, on_progress)
        pass_through = run.measure_job("pass-through", "flink_jobs.pass_through", [], backends[0])
        decided = {
            backend: run.measure_job(
                f"fraud-detection-{backend}",
                "flink_jobs.fraud_detection",
                ["--ruleset", ruleset],
                backend,
            )
            for backend in backends
        }
        # Every job of Flink's has raised the same alerts; the loop raises its own.
        flagged = round(_count_flagged(own.kafka) / len(backends))
        return StreamBenchmark(
            load=load,
            bytes_per_record=size,
            pass_through=pass_through,
            fraud_detection=decided,
            flagged=flagged,
            python_loop=run.measure_loop() if with_loop else None,
        )


class _Run:
    """What the jobs of one call of ``run_stream_benchmark`` share; they run one after the other."""

    def __init__(
        self, settings: Settings, load: Load, submit: Submit, on_progress: Listener
    ) -> None:
        self._settings = settings
        self._load = load
        self._submit = submit
        self._on_progress = on_progress

    def measure_job(self, name: str, module: str, words: list[str], backend: StateBackend) -> Rate:
        """Submit a job of Flink's, and cancel it when it has read everything."""
        own = self._named(f"bench-{name}", backend)
        rest = FlinkRest(own.flink.rest_url)
        job_id = self._submit(own, module, words)["job_id"]
        made: list[Checkpoints] = []

        def note(done: int) -> None:
            made.append(rest.checkpoints(job_id))
            self._on_progress(name, done, self._load.records)

        try:
            samples = sample_offsets(
                own,
                self._load.records,
                on_progress=note,
                find_cause=lambda: rest.root_cause(job_id),
            )
        finally:
            rest.cancel(job_id)
            rest.await_end(job_id, wait_seconds=60)
        took = [one.latest_duration_ms for one in made if one.latest_duration_ms is not None]
        return dataclasses.replace(
            slope_of(samples, job=name, records=self._load.records),
            checkpoint_ms=statistics.median(took) if took else None,
            state_bytes=made[-1].latest_bytes,
        )

    def measure_loop(self) -> Rate:
        """The plain Python loop over the same topic."""
        from bench.python_loop import running_loops  # orjson, which only this needs

        name, records = "python-loop", self._load.records
        own = self._named(name, self._settings.flink.state_backend)
        with running_loops(own.kafka, own.job_group):
            samples = sample_offsets(
                own, records, on_progress=lambda done: self._on_progress(name, done, records)
            )
        return slope_of(samples, job=name, records=records)

    def _named(self, job: str, backend: StateBackend) -> Settings:
        flink = dataclasses.replace(self._settings.flink, job_name=job, state_backend=backend)
        return dataclasses.replace(self._settings, flink=flink)


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
