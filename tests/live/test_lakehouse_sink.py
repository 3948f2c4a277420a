"""The lakehouse sink against a real broker: killed, refused, told to go on, and asked meanwhile."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import Message, Producer, TopicPartition

from fraudlake.job.lake_tables import apply_tables
from pipelines.errors import SinkError, TransientError
from pipelines.ids import decision_id
from pipelines.kafka import connect_admin, create_topics, read_group_offsets, read_offsets
from sinks.lakehouse.catalog import find_catalog
from sinks.lakehouse.ingest.records import Records
from sinks.lakehouse.ingest.source import Source, name_group
from sinks.lakehouse.progress import read_progress

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from confluent_kafka.admin import AdminClient

    from pipelines.settings import Settings
    from sinks.lakehouse.position import Position

pytestmark = pytest.mark.live
ROUNDS = 12
PER_ROUND = 1500
ABORTED_ROUNDS = {2, 7}
WRONG_EVERY = 100


@pytest.fixture
def lake(settings: Settings, tmp_path: Path) -> Settings:
    """Fresh topics, and tables in a folder of this test alone that know the features used here."""
    stack = dataclasses.replace(settings.stack, home=tmp_path)
    settings = dataclasses.replace(settings, stack=stack)
    apply_tables(settings, ruleset="speed", more=["card_txn_count_10s"])
    return settings


def environment(settings: Settings) -> dict[str, str]:
    return {
        **os.environ,
        "FRAUDLAKE_STACK_HOME": str(settings.stack.home),
        "FRAUDLAKE_KAFKA_BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "FRAUDLAKE_KAFKA_TOPIC_PREFIX": settings.kafka.topic_prefix,
        "FRAUDLAKE_LAKEHOUSE_NAMESPACE": settings.lakehouse.namespace,
        "FRAUDLAKE_LAKEHOUSE_COMMIT_SECONDS": "0.3",
        "FRAUDLAKE_LAKEHOUSE_COMMIT_ROWS": "2000",
    }


@contextlib.contextmanager
def running_sink(settings: Settings, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """``fraudlake sink lakehouse`` as a process; killed at the end if it is still there."""
    log = settings.stack.home / "sink.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "fraudlake.cli", "sink", "lakehouse", *options],
            env=environment(settings),
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait(60)


def await_true(condition: Callable[[], bool], what: str, *, seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"waited {seconds} s for: {what}"
        time.sleep(0.1)


def ask(settings: Settings, question: str) -> list[dict[str, Any]]:
    answer = subprocess.run(
        [sys.executable, "-m", "fraudlake.cli", "sql", question, "--format", "json"],
        env=environment(settings),
        capture_output=True,
        timeout=60,
        check=True,
    )
    rows: list[dict[str, Any]] = json.loads(answer.stdout)
    return rows


def build_decision(number: int) -> bytes:
    transaction = {
        "transaction_id": f"t-{number}",
        "event_time": f"2026-03-0{1 + number % 3}T12:00:00.{number % 1000:03d}Z",
        "card_id": f"c-{number % 50}",
        "customer_id": "u-1",
        "merchant_id": "m-1",
        "merchant_category": "5411",
        "amount": number / 100,
        "currency": "EUR",
        "channel": "pos",
    }
    decision = {
        "decision_id": decision_id(topic="transactions", partition=0, offset=number),
        "transaction": transaction,
        "base_amount": number / 100,
        "base_currency": "EUR",
        "features": {"card_txn_count_10s": number % 7, "travel_kmh": None},
        "score": 0.1,
        "band": "wrong" if number % WRONG_EVERY == 0 else "allow",
        "rules_fired": ["velocity"] if number % 2 else [],
        "ruleset": "classic@0123456789ab",
        "model": None,
        "is_late": False,
        "is_duplicate": False,
        "duplicate_of_offset": None,
        "previous_transaction_id": None,
        "source": {"topic": "transactions", "partition": 0, "offset": number},
        "decided_at": "2026-03-01T12:00:01.000Z",
        "alert_id": None,
    }
    return json.dumps(decision, separators=(",", ":")).encode()


def produce_round(producer: Producer, topic: str, number: int) -> dict[tuple[int, int], int]:
    """One transaction of decisions; which place in the topic each took, if it was committed."""
    places: dict[tuple[int, int], int] = {}

    def note(at: int) -> Callable[..., None]:
        def confirm(error: object, message: Message) -> None:
            assert error is None
            partition, offset = message.partition(), message.offset()
            assert partition is not None
            assert offset is not None
            places[partition, offset] = at

        return confirm

    producer.begin_transaction()
    for at in range(number * PER_ROUND, (number + 1) * PER_ROUND):
        key = f"c-{at % 50}".encode()
        producer.produce(topic, key=key, value=build_decision(at), on_delivery=note(at))
    producer.flush(30)
    if number in ABORTED_ROUNDS:
        producer.abort_transaction(30)
        return {}
    producer.commit_transaction(30)
    return places


def stored_decisions(settings: Settings) -> list[tuple[tuple[int, int], str]]:
    with find_catalog(settings) as catalog:
        assert catalog is not None
        table = catalog.load_table((settings.lakehouse.namespace, "decisions"))
        columns = ("kafka_partition", "kafka_offset", "transaction_id")
        rows = table.scan(selected_fields=columns).to_arrow().to_pylist()
    return [((row[columns[0]], row[columns[1]]), row[columns[2]]) for row in rows]


def test_killed_again_and_again_the_table_has_each_committed_record_once(lake: Settings) -> None:
    topic = lake.kafka.topics().decisions.name
    producer = Producer(
        {
            "bootstrap.servers": lake.kafka.bootstrap_servers,
            "transactional.id": lake.kafka.topic_prefix,
            "log_level": 0,
        }
    )
    producer.init_transactions(30)
    places: dict[tuple[int, int], int] = {}
    rounds = iter(range(ROUNDS))

    def rows() -> int:
        return read_progress(lake)["decisions"].rows

    for kill_at in (2_000, 6_000):
        with running_sink(lake) as sink:
            for number in itertools.islice(rounds, ROUNDS // 3):
                places |= produce_round(producer, topic, number)
            await_true(lambda at=kill_at: rows() >= at, f"{kill_at} rows")  # type: ignore[misc]
            sink.send_signal(signal.SIGKILL)
            sink.wait(60)
    assert rows() < len(places)
    for number in rounds:
        places |= produce_round(producer, topic, number)

    wrong = {place for place, at in places.items() if at % WRONG_EVERY == 0}
    with running_sink(lake) as sink:
        ends = {part: held.end for part, held in read_offsets(lake.kafka, topic).items()}
        await_true(lambda: read_progress(lake)["decisions"].next_offsets == ends, f"the end {ends}")
        assert ask(lake, "select count(*) >= 6000 as enough from decisions") == [{"enough": True}]
        await_true(
            lambda: read_progress(lake)["dead_letters"].rows >= len(wrong), "the dead letters"
        )
        log = lake.stack.home / "sink.log"
        await_true(lambda: log.read_text().count("event=started") == 3, "the third start")
        sink.send_signal(signal.SIGTERM)
        assert sink.wait(60) == 0

    stored = stored_decisions(lake)
    expected = {place: f"t-{at}" for place, at in places.items() if place not in wrong}
    assert len(places) == (ROUNDS - len(ABORTED_ROUNDS)) * PER_ROUND
    assert len(stored) == len(expected)
    assert dict(stored) == expected
    progress = read_progress(lake)["decisions"]
    assert (progress.rows, progress.dead_letters) == (len(expected), len(wrong))
    assert read_group_offsets(lake.kafka, name_group(lake), topic) == ends
    letters = ask(
        lake,
        "select source_topic, source_partition, source_offset, stage, reason, "
        "decode(original) as original from dead_letters",
    )
    assert {(one["source_partition"], one["source_offset"]) for one in letters} == wrong
    assert len(letters) == len(wrong)
    assert {(one["source_topic"], one["stage"], one["reason"]) for one in letters} == {
        (topic, "lakehouse", "unknown_value")
    }
    assert all(
        one["original"].encode()
        == build_decision(places[one["source_partition"], one["source_offset"]])
        for one in letters
    )


def at_end(source: Source) -> Position:
    return source.position(dead_letters=0)


@pytest.fixture
def opened(lake: Settings) -> Iterator[Callable[..., Source]]:
    """Sources of the labels topic, closed at the end."""
    sources: list[Source] = []

    def build(*, accept_gap: bool = False) -> Source:
        topic = lake.kafka.topics().labels.name
        group = name_group(lake)
        source = Source(lake.kafka, topic=topic, group=group, accept_gap=accept_gap)
        sources.append(source)
        return source

    yield build
    for source in sources:
        source.close()


def fill_labels(settings: Settings) -> str:
    topic = settings.kafka.topics().labels.name
    producer = Producer({"bootstrap.servers": settings.kafka.bootstrap_servers, "log_level": 0})
    for _ in range(10):
        producer.produce(topic, value=b"{}", partition=0)
    assert producer.flush(30) == 0
    return topic


def recreate(settings: Settings, admin: AdminClient, topic: str) -> None:
    admin.delete_topics([topic])[topic].result(30)
    await_true(lambda: topic not in admin.list_topics(timeout=10).topics, "the topic to be gone")
    create_topics(settings.kafka, [settings.kafka.topics().labels])
    await_true(lambda: len(read_offsets(settings.kafka, topic)) > 0, "the topic to be back")


def test_a_topic_that_was_deleted_and_created_again_is_refused(
    lake: Settings, opened: Callable[..., Source]
) -> None:
    topic = fill_labels(lake)
    first = opened()
    first.start(None)
    stored = dataclasses.replace(at_end(first), next_offsets={0: 10, 1: 0, 2: 0, 3: 0})
    recreate(lake, connect_admin(lake.kafka), topic)

    with pytest.raises(SinkError, match=r"deleted and created again.*--accept-gap"):
        opened().start(stored)

    accepting = opened(accept_gap=True)
    accepting.start(stored)
    assert at_end(accepting).next_offsets == {0: 0, 1: 0, 2: 0, 3: 0}
    assert at_end(accepting).topic_id != stored.topic_id


def test_records_of_a_topic_that_is_created_again_while_it_is_read_are_not_stored(
    lake: Settings, opened: Callable[..., Source]
) -> None:
    """They stand at offsets at which the old topic, whose name the position has, had others."""
    topic = fill_labels(lake)
    source, records = opened(), Records()
    source.start(None)
    await_true(lambda: read_into(records, source) == 10, "the old records")
    source.verify()
    recreate(lake, connect_admin(lake.kafka), topic)
    fill_labels(lake)
    fill_labels(lake)

    with pytest.raises(TransientError, match="was deleted and created again while the sink"):
        source.verify()


def read_into(records: Records, source: Source) -> int:
    source.read(records, count=100, size=1_000_000, seconds=0.2)
    return len(records)


def test_of_large_records_no_more_are_read_than_there_is_room_for(
    lake: Settings, opened: Callable[..., Source]
) -> None:
    topic = lake.kafka.topics().labels.name
    producer = Producer({"bootstrap.servers": lake.kafka.bootstrap_servers, "log_level": 0})
    for at in range(48):
        producer.produce(topic, value=bytes([at]) * 900_000, partition=0)
        producer.flush(30)
    source = opened()
    source.start(None)
    found: list[bytes | None] = []

    def read_a_block() -> int:
        records = Records()
        source.read(records, count=10_000, size=4_000_000, seconds=0.5)
        assert records.size_bytes < 5_000_000
        found.extend(records.values)
        return len(found)

    await_true(lambda: read_a_block() == 48, "all of them")
    assert found == [bytes([at]) * 900_000 for at in range(48)]


def test_records_that_were_deleted_before_they_were_stored_are_missed(
    lake: Settings, opened: Callable[..., Source]
) -> None:
    topic = fill_labels(lake)
    first = opened()
    first.start(None)
    stored = at_end(first)
    admin = connect_admin(lake.kafka)  # must outlive its futures
    place = TopicPartition(topic, 0, 4)
    admin.delete_records([place])[place].result(30)

    with pytest.raises(SinkError, match=r"begins at 4, the table goes on at 0: up to 4 records"):
        opened().start(stored)

    accepting = opened(accept_gap=True)
    accepting.start(stored)
    assert at_end(accepting).next_offsets[0] == 4


def test_a_position_behind_the_end_of_the_log_is_refused(
    lake: Settings, opened: Callable[..., Source]
) -> None:
    fill_labels(lake)
    first = opened()
    first.start(None)
    stored = dataclasses.replace(at_end(first), next_offsets={0: 11, 1: 0, 2: 0, 3: 0})

    with pytest.raises(SinkError, match="ends at 10, the table goes on at 11"):
        opened().start(stored)


def test_another_cluster_is_refused(lake: Settings, opened: Callable[..., Source]) -> None:
    first = opened()
    first.start(None)

    with pytest.raises(SinkError, match="the table was filled from cluster elsewhere"):
        opened().start(dataclasses.replace(at_end(first), cluster_id="elsewhere"))
