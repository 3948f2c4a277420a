"""Alerts by hand, the sink beside the test, and waiting for it."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from confluent_kafka import ConsumerGroupTopicPartitions, TopicPartition

import sinks.alerts.run as sink
from pipelines.kafka import connect_admin, connect_producer, read_group_offsets, read_offsets

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings

EXAMPLE = Path(__file__).parents[1] / "sinks" / "alerts" / "alert_record.json"
DEADLINE_SECONDS = 60.0
MONTH = "2026.11"


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


def await_true(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE_SECONDS:.0f} s: {what}"
        time.sleep(0.05)


def await_caught_up(settings: Settings) -> None:
    """Wait until the group's offsets have reached the end of the topic."""
    topic = settings.kafka.topics().alerts.name
    ends = {p: r.end for p, r in read_offsets(settings.kafka, topic).items() if r.end > 0}
    group = sink.name_group(settings)
    await_true(
        lambda: ends.items() <= read_group_offsets(settings.kafka, group, topic).items(),
        f"offsets at {ends}",
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


def get(index: Elasticsearch, settings: Settings, number: int) -> dict[str, Any]:
    name = f"{settings.elasticsearch.index}-2026.11"
    return dict(index.get(index=name, id=alert_id(number)))


def fill(settings: Settings, count: int, **changes: Any) -> None:
    """Let the sink write ``count`` alerts."""
    send(settings, *(make_alert(number, 1, **changes) for number in range(count)))
    with running(settings):
        await_caught_up(settings)


def names(index: Elasticsearch, settings: Settings) -> list[str]:
    """The indices there are, without the alias at their beginning."""
    stem = settings.elasticsearch.index
    return sorted(name.removeprefix(f"{stem}-") for name in index.indices.get(index=f"{stem}-*"))


def documents(index: Elasticsearch, settings: Settings) -> dict[str, dict[str, Any]]:
    """What a search through the alias finds; fails if it finds an alert twice."""
    index.indices.refresh(index=settings.elasticsearch.index)
    found = index.search(index=settings.elasticsearch.index, size=10_000)["hits"]["hits"]
    assert len(found) == len({hit["_id"] for hit in found})
    return {hit["_id"]: hit["_source"] for hit in found}
