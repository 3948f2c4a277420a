"""What `fraudlake produce` and `fraudlake replay` leave on a real broker."""

from __future__ import annotations

import dataclasses
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.cimpl import NewTopic

from pipelines.contracts.faults import ContractFault
from pipelines.contracts.label import parse_label
from pipelines.contracts.transaction import FIELD_NAMES, parse_transaction
from pipelines.fx import load_fx
from pipelines.kafka import (
    connect_admin,
    connect_consumer,
    create_topics,
    read_group_offsets,
    read_offsets,
)
from pipelines.sender import KafkaSender

if TYPE_CHECKING:
    from confluent_kafka import Message

    from pipelines.settings import KafkaSettings, Settings

pytestmark = pytest.mark.live

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
RATES = load_fx().rates
DEADLINE_SECONDS = 60


def environ(kafka: KafkaSettings) -> dict[str, str]:
    return {
        **os.environ,
        "FRAUDLAKE_KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
        "FRAUDLAKE_KAFKA_TOPIC_PREFIX": kafka.topic_prefix,
        "FRAUDLAKE_KAFKA_PARTITIONS": str(kafka.partitions),
        "FRAUDLAKE_KAFKA_EXTERNAL": "true",
    }


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "fraudlake.cli", *arguments, "--json"]


def run(kafka: KafkaSettings, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        command(*arguments),
        env=environ(kafka),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_SECONDS,
    )
    assert done.returncode == 0, done.stderr
    summary: dict[str, Any] = json.loads(done.stdout)
    return summary


def count(kafka: KafkaSettings, topic: str) -> int:
    return sum(part.end - part.start for part in read_offsets(kafka, topic).values())


def read(kafka: KafkaSettings, topic: str) -> list[Message]:
    """Every record of the topic, each partition in its order."""
    offsets = read_offsets(kafka, topic)
    consumer = connect_consumer(kafka, group="test-reader")
    messages: list[Message] = []
    try:
        consumer.assign([TopicPartition(topic, part, at.start) for part, at in offsets.items()])
        deadline = time.monotonic() + DEADLINE_SECONDS
        while len(messages) < sum(at.end - at.start for at in offsets.values()):
            assert time.monotonic() < deadline, "the records did not all arrive"
            for message in consumer.consume(1000, timeout=1.0):
                assert message.error() is None, message.error()
                messages.append(message)
    finally:
        consumer.close()
    return messages


def murmur2(key: bytes) -> int:
    """The hash by which Java clients choose a partition, after Kafka's ``Utils.murmur2``."""
    mask, m = 0xFFFFFFFF, 0x5BD1E995
    h = 0x9747B28C ^ len(key)
    whole = len(key) // 4 * 4
    for at in range(0, whole, 4):
        k = int.from_bytes(key[at : at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    if whole < len(key):
        h = (h ^ int.from_bytes(key[whole:], "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def test_murmur2_is_the_one_of_the_java_client() -> None:
    # Values from Kafka's own UtilsTest, as unsigned numbers.
    assert murmur2(b"21") == -973932308 % 2**32
    assert murmur2(b"foobar") == -790332482 % 2**32
    assert murmur2(b"a-little-bit-long-string") == -985981536 % 2**32


@pytest.fixture(scope="module")
def kafka(stack: Settings) -> KafkaSettings:
    kafka = dataclasses.replace(stack.kafka, topic_prefix=f"t{secrets.token_hex(4)}-")
    create_topics(kafka, kafka.topics().all())
    return kafka


@pytest.fixture(scope="module")
def summary(kafka: KafkaSettings) -> dict[str, Any]:
    """3,000 transactions with everything that disturbs them."""
    return run(
        kafka,
        *("produce", "--count", "3000", "--speed", "max", "--cards", "300", "--rate", "20"),
        *("--malformed", "22", "--repeats", "15", "--label-delay", "20s"),
    )


def test_the_summary_is_what_the_broker_holds(
    kafka: KafkaSettings, summary: dict[str, Any]
) -> None:
    topics = kafka.topics()
    assert summary["transactions"] == 3000
    assert count(kafka, topics.transactions.name) == 3000 + 22 + 15
    assert count(kafka, topics.customers.name) == summary["customers"]
    assert count(kafka, topics.labels.name) == summary["labels"] > 0
    assert summary["acknowledged"] == {
        topic.name: count(kafka, topic.name)
        for topic in (topics.transactions, topics.customers, topics.labels)
    }


def test_a_card_has_one_partition_and_its_order_is_that_of_its_events(
    kafka: KafkaSettings, summary: dict[str, Any]
) -> None:
    good: set[str] = set()
    refused = repeated = 0
    last: dict[bytes, int] = defaultdict(int)
    for message in read(kafka, kafka.topics().transactions.name):
        key = message.key()
        assert isinstance(key, bytes)
        assert message.partition() == (murmur2(key) & 0x7FFFFFFF) % kafka.partitions
        assert message.headers() is None
        try:
            found = parse_transaction(
                message.value(), currencies=RATES, record_time_ms=message.timestamp()[1]
            )
        except ContractFault:
            refused += 1
            continue
        assert found.card_id.encode() == key
        assert set(json.loads(message.value() or b"")) <= set(FIELD_NAMES)
        if found.transaction_id in good:
            repeated += 1
            continue
        good.add(found.transaction_id)
        assert found.event_time_ms >= last[key]
        last[key] = found.event_time_ms
    assert (len(good), refused, repeated) == (3000, 22, 15)


def test_truth_is_in_the_labels_alone(kafka: KafkaSettings, summary: dict[str, Any]) -> None:
    labels = [parse_label(message.value()) for message in read(kafka, kafka.topics().labels.name)]
    frauds = [label for label in labels if label.label == "fraud"]
    assert 0 < len(frauds) <= sum(summary["frauds"].values())
    ids = {message.value() for message in read(kafka, kafka.topics().transactions.name)}
    text = b"".join(value for value in ids if value is not None)
    for label in frauds:
        assert label.transaction_id.encode() in text
        assert label.reason is not None
        assert label.reason.encode() not in text
    assert b"fraud" not in text


def test_a_live_stream_sends_each_event_when_it_happens(settings: Settings) -> None:
    kafka = settings.kafka
    run(kafka, "produce", "--duration", "2s", "--cards", "100", "--rate", "100")
    lags = []
    for message in read(kafka, kafka.topics().transactions.name):
        found = parse_transaction(message.value(), currencies=RATES)
        lags.append(message.timestamp()[1] - found.event_time_ms)
    assert len(lags) > 100
    assert min(lags) >= 0
    assert sorted(lags)[len(lags) // 2] < 500


def test_an_interrupt_ends_an_endless_stream_in_order(settings: Settings) -> None:
    kafka = settings.kafka
    topic = kafka.topics().transactions.name
    process = subprocess.Popen(
        command("produce", "--cards", "100", "--rate", "100"),
        env=environ(kafka),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while count(kafka, topic) < 50:
            assert time.monotonic() < deadline, "nothing was sent"
        process.send_signal(signal.SIGINT)
        stdout, stderr = process.communicate(timeout=DEADLINE_SECONDS)
    finally:
        process.kill()
    assert process.returncode == 0, stderr
    summary = json.loads(stdout)
    assert summary["is_stopped"] is True
    assert summary["acknowledged"][topic] == summary["transactions"] == count(kafka, topic)


def test_a_record_the_broker_refuses_is_counted_and_the_others_arrive(settings: Settings) -> None:
    kafka = settings.kafka
    topic = f"{kafka.topic_prefix}small"
    small = NewTopic(topic, num_partitions=1, config={"max.message.bytes": "300"})
    admin = connect_admin(kafka)
    admin.create_topics([small])[topic].result(10)
    sender = KafkaSender(kafka, **{"linger.ms": 0})
    for value in (b"x" * 10, b"x" * 10_000, b"y" * 10):
        sender.send(topic, b"k", value)
        sender.flush()
    assert sender.acknowledged == {topic: 2}
    assert sender.failed == {topic: 1}
    assert sender.last_failure is not None
    assert "too large" in sender.last_failure
    assert count(kafka, topic) == 2


def test_offsets_of_an_unknown_group_or_topic_are_empty(settings: Settings) -> None:
    assert read_group_offsets(settings.kafka, "no-such-group", "transactions") == {}
    assert read_offsets(settings.kafka, "no-such-topic") == {}


def test_a_replayed_file_is_on_the_broker_row_by_row(settings: Settings, tmp_path: Path) -> None:
    kafka = settings.kafka
    file = tmp_path / "bank_history.csv"
    shutil.copy(EXAMPLES / "bank_history.csv", file)
    mapping = str(EXAMPLES / "bank_history.toml")
    summary = run(kafka, "replay", str(file), "--mapping", mapping, "--speed", "max")
    assert summary["acknowledged"] == summary["rows"] == 300
    references = set()
    for message in read(kafka, kafka.topics().transactions.name):
        found = parse_transaction(message.value(), currencies=RATES)
        assert message.key() == found.card_id.encode()
        references.add(found.transaction_id)
    lines = file.read_text().splitlines()[1:]
    assert references == {line.split(";")[0] for line in lines}


def test_a_replay_keeps_pace_and_begins_now(settings: Settings, tmp_path: Path) -> None:
    kafka = settings.kafka
    file = tmp_path / "few.jsonl"
    base = {
        "card_id": "c1",
        "customer_id": "u1",
        "merchant_id": "m1",
        "merchant_category": "5411",
        "amount": 1,
        "currency": "EUR",
        "channel": "pos",
    }
    mapping = tmp_path / "few.toml"
    names = [*base, "transaction_id", "event_time"]
    mapping.write_text("[fields]\n" + "".join(f'{name} = "{name}"\n' for name in names))
    records = [
        {**base, "transaction_id": f"t{second}", "event_time": f"2026-03-01T12:00:0{second}Z"}
        for second in (0, 2, 4)
    ]
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    options = ("--mapping", str(mapping), "--speed", "4x", "--start-at", "now")
    before_ms = time.time_ns() // 1_000_000
    summary = run(kafka, "replay", str(file), *options)
    assert summary["acknowledged"] == 3
    assert summary["seconds"] == pytest.approx(1.0, abs=0.5)
    messages = read(kafka, kafka.topics().transactions.name)
    times = [parse_transaction(m.value(), currencies=RATES).event_time_ms for m in messages]
    assert [each - times[0] for each in times] == [0, 2000, 4000]
    assert before_ms <= times[0] <= before_ms + 10_000
    sent = [message.timestamp()[1] for message in messages]
    assert sent[2] - sent[0] == pytest.approx(1000, abs=300)
