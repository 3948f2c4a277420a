"""The lakehouse sink handed to a Flink job and taken back: each record in one row, and the same."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import json
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import TopicPartition
from decision_records import decision_value
from rest_server import POM, TOKEN, resolve_classpath, running_rest_catalog

from fraudlake.stack.flink_home import find_flink
from fraudlake.stack.jars import connector_jar
from fraudlake.stack.java import FOR_FLINK, find_java
from pipelines.errors import SinkError
from pipelines.ids import decision_id
from pipelines.kafka import connect_consumer, connect_producer, read_offsets
from pipelines.settings import LakehouseSettings, Secret, Settings
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.handover.hand_over import hand_over
from sinks.lakehouse.handover.take_back import take_back
from sinks.lakehouse.ingest.decisions import DecisionDecoder
from sinks.lakehouse.ingest.records import Records
from sinks.lakehouse.ingest.run import run
from sinks.lakehouse.progress import read_progress
from sinks.lakehouse.query.opening import open_lake
from sinks.lakehouse.schema import apply_changes

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.live
JARS = Path(__file__).parent / "hand_over" / "pom.xml"
Rows = list[dict[str, Any]]


@pytest.fixture
def lake(settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    """A REST catalog, which several engines can write through, and files in a folder."""
    warehouse = tmp_path / "warehouse"
    warehouse.mkdir()
    classpath = resolve_classpath(POM, tmp_path / "rest-classpath")
    file = tmp_path / "catalog.db"
    with running_rest_catalog(classpath, catalog_file=file, warehouse=warehouse) as address:
        lakehouse = LakehouseSettings(
            catalog_uri=address, catalog_token=Secret(TOKEN), commit_seconds=0.5
        )
        made = dataclasses.replace(settings, lakehouse=lakehouse)
        with open_catalog(made) as catalog:
            apply_changes(catalog, lakehouse, {"f1": "", "f2": ""})
        yield made


@contextlib.contextmanager
def running_flink(settings: Settings, script: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The script in Flink's SQL client, which runs the job in its own process."""
    flink = find_flink(settings.flink.python)
    jars = resolve_classpath(JARS, script.with_suffix(".jars"))
    environ = {
        **os.environ,
        "JAVA_HOME": str(find_java(FOR_FLINK, os.environ).home),
        # Where the jars of `lib` would be, in a cluster of one's own.
        "HADOOP_CLASSPATH": os.pathsep.join([jars, str(connector_jar(os.environ))]),
        "FLINK_LOG_DIR": str(script.parent),
    }
    command = [str(flink.home / "bin" / "sql-client.sh"), "-f", str(script)]
    command += ["-D", "execution.target=local", "-D", "table.dml-sync=true"]
    command += ["-hist", str(script.with_suffix(".history"))]
    with script.with_suffix(".log").open("wb") as output:
        process = subprocess.Popen(command, env=environ, stdout=output, stderr=output)
    try:
        yield process
    finally:
        process.kill()
        process.wait(60)


def produce(settings: Settings, first: int, count: int) -> None:
    """Decisions with all that is odd in them, and a label and a dead letter beside them."""
    topics = settings.kafka.topics()
    producer = connect_producer(settings.kafka)
    for at in range(first, first + count):
        producer.produce(topics.decisions.name, key=f"c-{at % 7}", value=build_decision(at))
    label = {
        "transaction_id": f"t-{first}",
        "card_id": "c-1",
        "merchant_id": "m-1",
        "event_time": "2026-03-01T12:00:00Z",
        "label": "fraud",
        "source": "chargeback",
        "label_time": "2026-03-04T00:00:00.5Z",
    }
    producer.produce(topics.labels.name, value=json.dumps(label))
    letter = {
        "stage": "decode",
        "reason": "not_json",
        "detail": "not JSON",
        "original": base64.b64encode(b"\xff\x00{").decode(),
        "topic": "transactions",
        "partition": 1,
        "offset": first,
        "failed_at": "2026-03-01T12:00:00Z",
    }
    producer.produce(topics.dead_letters.name, value=json.dumps(letter))
    assert producer.flush(30) == 0


def build_decision(at: int) -> bytes:
    time_ = ("2026-03-01T12:00:00.123Z", "2026-03-02T12:00:01Z", "2026-03-02T12:00:01.1239+00:00")
    rare = ',"latitude":48.125,"entry_mode":"chip","kind":null' if at % 3 else ""
    transaction = (
        f'{{"transaction_id": "t-{at}" , "event_time":"{time_[at % 3]}","card_id":"c-{at % 7}",'
        '"customer_id":"u-1","merchant_id":"m-1","merchant_category":"5411",'
        f'"amount":{("12.3", "0.0001", "1e3", "123456789.1234")[at % 4]},"currency":"EUR",'
        f'"channel":"pos","note":"é \\" }},\\"base_amount\\":"{rare}}}'
    )
    return decision_value(
        transaction,
        decision_id=decision_id(topic="transactions", partition=0, offset=at),
        base_amount=at * 11 / 10,
        features={"f1": at, "f2": None if at % 2 else at / 3},
        rules_fired=[] if at % 4 == 0 else ["a", "b"],
        is_late=at % 2 == 0,
        duplicate_of_offset=at if at % 5 == 0 else None,
        source={"topic": "transactions", "partition": 1, "offset": at},
    )


def store_by_sink(settings: Settings) -> None:
    """Run our own sink until all records are stored."""
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(settings,), kwargs={"stop": stop})
    thread.start()
    try:
        await_all_stored(settings)
    finally:
        stop.set()
        thread.join(60)


def await_all_stored(settings: Settings) -> None:
    """Wait until each table has as many rows as its topic has records."""
    topics = settings.kafka.topics()
    wanted = {
        name: sum(one.end - one.start for one in read_offsets(settings.kafka, topic.name).values())
        for name, topic in (
            ("decisions", topics.decisions),
            ("labels", topics.labels),
            ("dead_letters", topics.dead_letters),
        )
    }
    deadline = time.monotonic() + 120
    while {name: one.rows for name, one in read_progress(settings).items()} != wanted:
        assert time.monotonic() < deadline, (wanted, read_progress(settings))
        time.sleep(0.2)


def read_topic(settings: Settings) -> Rows:
    """What the decisions are by our own decoder, in order."""
    topic = settings.kafka.topics().decisions.name
    ranges = read_offsets(settings.kafka, topic)
    consumer = connect_consumer(settings.kafka, group=f"{topic}.check")
    consumer.assign([TopicPartition(topic, at, one.start) for at, one in ranges.items()])
    records = Records()
    while len(records) < sum(one.end - one.start for one in ranges.values()):
        (message,) = consumer.consume(1, 30)
        partition, offset = message.partition(), message.offset()
        assert partition is not None
        assert offset is not None
        stamp = message.timestamp()[1]
        records.add(value=message.value(), partition=partition, offset=offset, time_ms=stamp)
    consumer.close()
    decoder = DecisionDecoder()
    decoded = decoder.decode(records)
    decoder.close()
    assert not decoded.refused
    rows = [row | {"kafka_topic": topic} for block in decoded.rows for row in block.to_pylist()]
    return sorted(rows, key=lambda row: (row["kafka_partition"], row["kafka_offset"]))


def read_table(settings: Settings) -> Rows:
    question = "select * from lake.decisions order by kafka_partition, kafka_offset"
    with open_lake(settings) as lake:
        answer = lake.ask(question, limit=10_000)
    names = [name for name, _ in answer.columns]
    return [dict(zip(names, row, strict=True)) for row in answer.rows]


def test_a_flink_job_goes_on_where_the_sink_ends_and_the_sink_where_the_job_ends(
    lake: Settings, tmp_path: Path
) -> None:
    produce(lake, 0, 200)
    store_by_sink(lake)
    produce(lake, 200, 50)

    script = tmp_path / "lakehouse.sql"
    text = hand_over(lake)
    assert TOKEN not in text
    text = text.replace("<the value of FRAUDLAKE_LAKEHOUSE_CATALOG_TOKEN>", TOKEN)
    script.write_text(text.replace("'60 s'", "'3 s'"))
    with running_flink(lake, script) as job:
        await_all_stored(lake)
        produce(lake, 250, 100)
        await_all_stored(lake)
        with pytest.raises(SinkError, match="is written by a Flink job"):
            run(lake, stop=threading.Event())
        assert job.poll() is None

    # The job was killed; what it had read and not committed is read again.
    moved = take_back(lake)
    assert sum(moved["decisions"].next_offsets.values()) == 350
    produce(lake, 350, 50)
    store_by_sink(lake)

    assert read_table(lake) == read_topic(lake)
    with open_lake(lake) as opened:
        question = "select count(*), count(distinct source_offset), min(original) from {}"
        letters = opened.ask(question.format("lake.dead_letters"), limit=1).rows
        labels = opened.ask("select count(*), count(distinct record) from labels", limit=1).rows
    assert letters == [(4, 4, b"\xff\x00{")]
    assert labels == [(4, 4)]
