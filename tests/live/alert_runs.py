"""Running the alert sink for one test: what it is given, how far it is, what it left."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

import sinks.alerts.run as sink
from pipelines.kafka import (
    connect_admin,
    connect_consumer,
    connect_producer,
    read_group_offsets,
    read_offsets,
)
from sinks.alerts.index_lock import name_lock
from sinks.alerts.indices import read_inventory
from sinks.alerts.search import read_origins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings

EXAMPLE = Path(__file__).parents[1] / "sinks" / "alerts" / "alert_record.json"
DEADLINE_SECONDS = 120.0


def alert_id(number: int) -> str:
    return f"{number:032x}"


def make_alert(number: int, sequence: int, **changes: Any) -> dict[str, Any]:
    alert = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    alert |= {"alert_id": alert_id(number), "card_id": f"card-{number}", "sequence": sequence}
    return {**alert, **changes}


def send(settings: Settings, *alerts: dict[str, Any] | bytes) -> None:
    producer = connect_producer(settings.kafka)
    for alert in alerts:
        value = alert if isinstance(alert, bytes) else json.dumps(alert).encode()
        key = b"no card" if isinstance(alert, bytes) else alert["card_id"].encode()
        producer.produce(settings.kafka.topics().alerts.name, key=key, value=value)
    assert producer.flush(30) == 0


@contextlib.contextmanager
def running(
    settings: Settings, *, on_session: Callable[[bool], None] = lambda _: None
) -> Iterator[Future[None]]:
    """The sink in a thread of this process; stopped, and its error raised, at the end."""
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        future = pool.submit(sink.run, settings, stop=stop, on_session=on_session)
        try:
            yield future
        finally:
            stop.set()
        future.result(DEADLINE_SECONDS)


@contextlib.contextmanager
def running_process(
    settings: Settings, log: Path, *, name: str = "alerts"
) -> Iterator[subprocess.Popen[bytes]]:
    """``fraudlake sink NAME`` as users run it; ended, if it has not ended before."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "fraudlake.cli", "sink", name],
            env={**os.environ, **settings.to_env()},
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def await_true(
    condition: Callable[[], bool], what: str, *, seconds: float = DEADLINE_SECONDS
) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.05)


def await_caught_up(settings: Settings, *, seconds: float = DEADLINE_SECONDS) -> None:
    """Wait until the group's offsets have reached the end of the topic."""
    topic = settings.kafka.topics().alerts.name
    ends = {p: r.end for p, r in read_offsets(settings.kafka, topic).items() if r.end > 0}
    group = sink.name_group(settings)
    await_true(
        lambda: ends.items() <= read_group_offsets(settings.kafka, group, topic).items(),
        f"offsets at {ends}",
        seconds=seconds,
    )


def rewind(settings: Settings, *, records: int) -> None:
    """Move the stored offsets of the stopped sink back, as a crash before the commit does."""
    topic = settings.kafka.topics().alerts.name
    group = sink.name_group(settings)
    stored = read_group_offsets(settings.kafka, group, topic)
    back = [TopicPartition(topic, p, max(0, offset - records)) for p, offset in stored.items()]
    admin = connect_admin(settings.kafka)
    request = [ConsumerGroupTopicPartitions(group, back)]
    for future in admin.alter_consumer_group_offsets(request).values():
        future.result(10)


def indexed_ids(settings: Settings) -> list[str]:
    return [alert_id for alert_id, _ in read_origins(settings)]


def read_dead_letters(settings: Settings) -> list[dict[str, Any]]:
    topic = settings.kafka.topics().dead_letters.name
    end = read_offsets(settings.kafka, topic)[0].end
    consumer = connect_consumer(settings.kafka, group="test-reader")
    try:
        consumer.assign([TopicPartition(topic, 0, 0)])
        messages = consumer.consume(end, DEADLINE_SECONDS)
    finally:
        consumer.close()
    return [json.loads(message.value() or b"null") for message in messages]


def remove_index(client: Elasticsearch, name: str) -> None:
    """The months behind the alias ``name``, copies of them that were left over, the template."""
    left = read_inventory(client, name)
    for one in (*left.months, *left.copies, *left.strays):
        client.indices.delete(index=one.name)
    client.options(ignore_status=404).indices.delete(index=name_lock(name))
    client.options(ignore_status=404).indices.delete_index_template(name=name)
