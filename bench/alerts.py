"""What the alert sink reaches and costs, and how soon after Kafka a search finds an alert.

The sink runs as users run it, as a process of its own; its processor time and its largest memory
are the kernel's figures of that process, from the moment it has its partitions. The yardstick
sends the same documents, ready made, with the bulk helper of Elasticsearch's own client as plain
``index`` actions: it reads no topic, checks nothing, and keeps nobody's edits.
"""

from __future__ import annotations

import dataclasses
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson
import psutil
from elasticsearch.helpers import streaming_bulk

from bench.alert_records import AlertRecord, make_alerts
from bench.latency import Spread, spread_of
from bench.sink_process import cpu_s, peak_mb, running_sink
from pipelines.errors import TransientError
from pipelines.kafka import (
    connect_producer,
    create_topics,
    delete_topics,
    read_group_offsets,
    read_offsets,
)
from pipelines.sender import KafkaSender
from sinks.alerts.alert import parse_alert
from sinks.alerts.client import connect, translate_errors
from sinks.alerts.document import Origin, draft_document
from sinks.alerts.indices import read_inventory
from sinks.alerts.run import BATCH_RECORDS, name_group
from sinks.alerts.search import read_index_count
from sinks.alerts.template import build_template

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings

PATIENCE_SECONDS = 300.0
WARM_UP_SECONDS = 5
SEARCH_PAUSE_SECONDS = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertLoad:
    """What is sent: at once for the rate, then on a schedule for the latency."""

    alerts: int
    rate: float
    seconds: int
    seed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexCost:
    """One way of bringing the alerts into the index."""

    alerts: int
    seconds: float
    cpu_s: float
    """Of the client's process; the server's is not in it."""
    peak_mb: float

    @property
    def alerts_a_second(self) -> float:
        """Alerts indexed for each second that passed."""
        return self.alerts / self.seconds

    @property
    def cpu_us_each(self) -> float:
        """Processor time of the client for one alert."""
        return self.cpu_s / self.alerts * 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertBenchmark:
    """The sink and the yardstick on the same alerts, and the sink's latency."""

    load: AlertLoad
    record_bytes: float
    sink: IndexCost
    yardstick: IndexCost
    searchable: Spread
    """From the moment an alert was handed to Kafka to the moment a search found it."""


def run_alert_benchmark(
    settings: Settings, load: AlertLoad, *, say: Callable[[str], None]
) -> AlertBenchmark:
    """Needs broker and index; topics and indices are its own and are deleted in the end."""
    own = _own(settings, load.seed)
    topics = own.kafka.topics()
    used = (topics.alerts, topics.dead_letters)
    at_a_rate = int(load.rate * (WARM_UP_SECONDS + load.seconds))
    say(f"making {load.alerts + at_a_rate:,} alerts")
    records = list(make_alerts(load.alerts + at_a_rate, seed=load.seed))
    at_once, scheduled = records[: load.alerts], records[load.alerts :]
    create_topics(own.kafka, used)
    try:
        _send(own, at_once)
        say("the sink indexes them")
        with tempfile.TemporaryDirectory(prefix="fraudlake-bench-") as folder:
            log = Path(folder) / "sink.log"
            with running_sink(own, "alerts", log=log, ready=b"event=assigned") as process:
                sink = _measure_sink(own, len(at_once), process)
                say(f"{load.rate:,.0f} alerts a second for {load.seconds} s")
                times_ms = _measure_latency(own, scheduled, load.rate)
        say("the yardstick indexes them")
        yardstick = _index_plainly(own, at_once)
    finally:
        delete_topics(own.kafka, used)
        _delete_indices(own)
    return AlertBenchmark(
        load=load,
        record_bytes=sum(len(one.value) for one in records) / len(records),
        sink=sink,
        yardstick=yardstick,
        searchable=spread_of(times_ms[int(load.rate * WARM_UP_SECONDS) :]),
    )


def _own(settings: Settings, seed: int) -> Settings:
    name = f"bench-alerts{seed}-{int(time.time())}"
    kafka = dataclasses.replace(settings.kafka, topic_prefix=f"{name}-")
    elasticsearch = dataclasses.replace(settings.elasticsearch, index=name)
    return dataclasses.replace(settings, kafka=kafka, elasticsearch=elasticsearch)


def _send(settings: Settings, records: Sequence[AlertRecord]) -> None:
    topic = settings.kafka.topics().alerts.name
    sender = KafkaSender(settings.kafka)
    for record in records:
        sender.send(topic, record.key, record.value)
    sender.flush()
    if sender.failed:
        msg = f"alerts were not sent: {sender.last_failure}"
        raise TransientError(msg)


def _measure_sink(settings: Settings, alerts: int, process: psutil.Process) -> IndexCost:
    """The sink from its first record on, until all are in the index and the offsets say so."""
    began, idle_s = time.monotonic(), cpu_s(process)
    topic = settings.kafka.topics().alerts.name
    ends = {part: held.end for part, held in read_offsets(settings.kafka, topic).items()}
    ends = {part: end for part, end in ends.items() if end > 0}
    group = name_group(settings)
    while not ends.items() <= read_group_offsets(settings.kafka, group, topic).items():
        if not process.is_running() or time.monotonic() > began + PATIENCE_SECONDS:
            msg = f"the sink did not reach the end of {topic}"
            raise TransientError(msg)
        time.sleep(0.1)
    seconds = time.monotonic() - began
    used_s = cpu_s(process) - idle_s
    found = read_index_count(settings)
    if found != alerts:
        msg = f"the sink indexed {found:,} of {alerts:,} alerts"
        raise TransientError(msg)
    return IndexCost(alerts=alerts, seconds=seconds, cpu_s=used_s, peak_mb=peak_mb(process))


def _measure_latency(
    settings: Settings, records: Sequence[AlertRecord], rate: float
) -> list[float]:
    """Send each when it is due and search all the time; the times in the order of sending."""
    topic = settings.kafka.topics().alerts.name
    producer = connect_producer(settings.kafka)
    sent: dict[str, float] = {}
    found: dict[str, float] = {}
    began = time.monotonic()
    patient_until = began + len(records) / rate + PATIENCE_SECONDS
    with connect(settings.elasticsearch) as client, translate_errors(settings.elasticsearch):
        while len(found) < len(records):
            due = min(len(records), int((time.monotonic() - began) * rate) + 1)
            for record in records[len(sent) : due]:
                producer.produce(topic, record.value, record.key)
                sent[record.id] = time.monotonic()
            producer.poll(SEARCH_PAUSE_SECONDS)
            waiting = [one for one in sent if one not in found]
            for one in _search(client, settings.elasticsearch.index, waiting):
                found[one] = time.monotonic()
            if time.monotonic() > patient_until:
                msg = f"no search found {len(records) - len(found):,} of {len(records):,} alerts"
                raise TransientError(msg)
    producer.flush()
    return [(found[one] - sent[one]) * 1000 for one in sent]


def _search(client: Elasticsearch, index: str, ids: Sequence[str]) -> list[str]:
    if not ids:
        return []
    answer = client.search(
        index=index,
        query={"terms": {"event.id": list(ids)}},
        size=len(ids),
        source=False,
        track_total_hits=False,
    )
    return [str(hit["_id"]) for hit in answer["hits"]["hits"]]


def _index_plainly(settings: Settings, records: Sequence[AlertRecord]) -> IndexCost:
    index = f"{settings.elasticsearch.index}-plain"
    template = build_template(settings.elasticsearch.index)["template"]
    documents = list(_documents(records, index))
    with connect(settings.elasticsearch) as client, translate_errors(settings.elasticsearch):
        client.indices.create(
            index=index, settings=template["settings"], mappings=template["mappings"]
        )
        began, idle_s = time.monotonic(), time.process_time()
        stored = sum(
            accepted for accepted, _ in streaming_bulk(client, documents, chunk_size=BATCH_RECORDS)
        )
        seconds, used_s = time.monotonic() - began, time.process_time() - idle_s
    if stored != len(records):
        msg = f"the yardstick indexed {stored:,} of {len(records):,} alerts"
        raise TransientError(msg)
    peak = psutil.Process().memory_info().rss / 1e6
    return IndexCost(alerts=stored, seconds=seconds, cpu_s=used_s, peak_mb=peak)


def _documents(records: Sequence[AlertRecord], index: str) -> Iterator[dict[str, Any]]:
    """What the sink writes for each, as an action of the helper."""
    now = datetime.now(UTC)
    for number, record in enumerate(records):
        origin = Origin(topic="alerts", partition=0, offset=number)
        draft = draft_document(parse_alert(record.value), origin=origin, index=index)
        document = draft.at(now)
        source = orjson.loads(document.body)["upsert"]
        yield {"_op_type": "index", "_index": index, "_id": document.id, "_source": source}


def _delete_indices(settings: Settings) -> None:
    index = settings.elasticsearch.index
    with connect(settings.elasticsearch) as client, translate_errors(settings.elasticsearch):
        left = read_inventory(client, index)
        names = [one.name for one in (*left.months, *left.copies, *left.strays)]
        for name in (*names, f"{index}-plain"):
            client.indices.delete(index=name, ignore_unavailable=True)
        client.options(ignore_status=404).indices.delete_index_template(name=index)
