"""Running the job and the sinks for one test: submitted, awaited, and always ended."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

from confluent_kafka import OFFSET_BEGINNING, KafkaError, TopicPartition

from fraudlake.job.start import submit_job
from pipelines.flink import FlinkRest
from pipelines.kafka import connect_consumer, read_offsets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fraudlake.job.launch import Deployment
    from pipelines.settings import KafkaSettings, Settings

VALUES_SECONDS = 120.0


@contextlib.contextmanager
def running_job(settings: Settings, *, ruleset: str) -> Iterator[Deployment]:
    """A job on topics of its own; cancelled at the end, whatever happens."""
    deployment = submit_job(settings, ruleset=ruleset, is_fresh=True)
    try:
        yield deployment
    finally:
        rest = FlinkRest(settings.flink.rest_url)
        active = rest.active_job(settings.flink.job_name)
        if active is not None:
            rest.cancel(active.job_id)


@contextlib.contextmanager
def running_sinks(settings: Settings) -> Iterator[None]:
    """Both sinks as the processes they are in production; ended by SIGTERM."""
    command = [sys.executable, "-m", "fraudlake.cli", "sink"]
    environ = settings.to_env()
    processes = [
        subprocess.Popen([*command, name], env={**os.environ, **environ})
        for name in ("lakehouse", "alerts")
    ]
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)


def read_values(kafka: KafkaSettings, topic: str) -> list[dict[str, Any]]:
    """Every committed record of a topic, in the order of its partitions."""
    return [json.loads(value) for value in read_raw(kafka, topic)]


def read_raw(kafka: KafkaSettings, topic: str) -> list[bytes]:
    """The values of those records as they stand there."""
    ranges = read_offsets(kafka, topic)
    consumer = connect_consumer(kafka, group="test", **{"enable.partition.eof": True})
    consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in ranges])
    open_partitions: set[int | None] = set(ranges)
    values: list[bytes] = []
    deadline = time.monotonic() + 120
    while open_partitions:
        assert time.monotonic() < deadline, f"{topic} was not read to its end"
        for message in consumer.consume(1000, 0.2):
            if message.error() is None:
                value = message.value()
                values.append(value if isinstance(value, bytes) else b"null")
            else:
                assert message.error().code() == KafkaError._PARTITION_EOF
                open_partitions.discard(message.partition())
    consumer.close()
    return values


def await_values(kafka: KafkaSettings, topic: str, count: int) -> list[dict[str, Any]]:
    """The records of a topic once there are ``count`` of them."""
    parts = [TopicPartition(topic, one, OFFSET_BEGINNING) for one in read_offsets(kafka, topic)]
    assert parts, f"there is no topic {topic}"
    found, deadline = 0, time.monotonic() + VALUES_SECONDS
    with contextlib.closing(connect_consumer(kafka, group="test")) as consumer:
        consumer.assign(parts)
        while found < count:
            assert time.monotonic() < deadline, f"{topic} has {found} of {count} records"
            for message in consumer.consume(count - found, 1.0):
                error = message.error()
                assert error is None, error
                found += 1
    return read_values(kafka, topic)  # more than that, if there are more
