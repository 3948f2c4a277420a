"""What a transaction of the job holds back or takes back, the alert sink never shows."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from alert_runs import (
    DEADLINE_SECONDS,
    alert_id,
    await_caught_up,
    await_true,
    indexed_ids,
    make_alert,
    read_dead_letters,
    running,
)
from confluent_kafka import TopicPartition

import sinks.alerts.run as sink
from pipelines.kafka import connect_admin, connect_producer, read_group_offsets, read_offsets

if TYPE_CHECKING:
    from confluent_kafka import Producer
    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings

pytestmark = pytest.mark.live

PARTITION = 0


def open_transactions(settings: Settings, name: str) -> Producer:
    """A producer whose records count when it commits them."""
    producer = connect_producer(
        settings.kafka, **{"transactional.id": f"{settings.kafka.topic_prefix}{name}"}
    )
    producer.init_transactions(DEADLINE_SECONDS)
    return producer


def write(settings: Settings, producer: Producer, *alerts: dict[str, Any]) -> None:
    """Into one partition, and through to the broker, whatever becomes of it."""
    topic = settings.kafka.topics().alerts.name
    for alert in alerts:
        producer.produce(topic, key=b"card", value=json.dumps(alert), partition=PARTITION)
    assert producer.flush(DEADLINE_SECONDS) == 0


def offset_of_the_sink(settings: Settings) -> int:
    topic = settings.kafka.topics().alerts.name
    return read_group_offsets(settings.kafka, sink.name_group(settings), topic).get(PARTITION, 0)


def test_alerts_of_an_aborted_transaction_are_never_shown_and_are_passed_over(
    settings: Settings, index: Elasticsearch
) -> None:
    """A checkpoint that failed: the job writes the same alerts again, perhaps others."""
    job = open_transactions(settings, "job")
    with running(settings):
        # Before anything was committed, and between what was.
        for number, is_committed in enumerate((False, True, False, False, True)):
            job.begin_transaction()
            write(settings, job, make_alert(number, 1), make_alert(9, number + 1))
            if is_committed:
                job.commit_transaction(DEADLINE_SECONDS)
            else:
                job.abort_transaction(DEADLINE_SECONDS)
        write_plainly(settings, make_alert(5, 1))
        await_caught_up(settings)

    assert sorted(indexed_ids(settings)) == [alert_id(number) for number in (1, 4, 5, 9)]
    found = index.get(index=f"{settings.elasticsearch.index}-2026.11", id=alert_id(9))
    assert found["_source"]["fraud"]["sequence"] == 5
    # Five transactions of two records and a mark each, and one record without any.
    assert offset_of_the_sink(settings) == 16
    assert read_dead_letters(settings) == []


def write_plainly(settings: Settings, alert: dict[str, Any]) -> None:
    write(settings, connect_producer(settings.kafka), alert)


def test_open_transaction_holds_the_sink_back_until_it_is_committed(
    settings: Settings, index: Elasticsearch
) -> None:
    topic = settings.kafka.topics().alerts.name
    job = open_transactions(settings, "job")
    with running(settings):
        write_plainly(settings, make_alert(1, 1))
        await_true(lambda: offset_of_the_sink(settings) == 1, "the first alert stored")
        job.begin_transaction()
        write(settings, job, make_alert(2, 1))
        # Behind the open one, and so not to be seen before it: the order is that of the topic.
        write_plainly(settings, make_alert(3, 1))
        behind = read_offsets(settings.kafka, topic, is_committed=False)[PARTITION].end
        assert behind == 3
        # A record of another partition shows that the sink has looked meanwhile.
        producer = connect_producer(settings.kafka)
        producer.produce(topic, value=json.dumps(make_alert(4, 1)), partition=PARTITION + 1)
        assert producer.flush(DEADLINE_SECONDS) == 0
        await_true(lambda: alert_id(4) in indexed_ids(settings), "the other partition's alert")
        assert sorted(indexed_ids(settings)) == [alert_id(1), alert_id(4)]
        assert offset_of_the_sink(settings) == 1

        job.commit_transaction(DEADLINE_SECONDS)
        await_true(lambda: len(indexed_ids(settings)) == 4, "what waited behind the transaction")
        await_true(lambda: offset_of_the_sink(settings) == 3, "the offsets behind it")

    assert sorted(indexed_ids(settings)) == [alert_id(number) for number in (1, 2, 3, 4)]


def test_topic_that_was_emptied_behind_the_last_mark_is_no_loss(
    settings: Settings, index: Elasticsearch
) -> None:
    """Of a quiet shop, Kafka deletes all there is in the end.

    The offset stored was once that of the last mark, and so before the beginning of the topic: the
    sink called it a loss and did not start.
    """
    job = open_transactions(settings, "job")
    job.begin_transaction()
    write(settings, job, make_alert(1, 1))
    job.commit_transaction(DEADLINE_SECONDS)
    with running(settings):
        await_true(lambda: offset_of_the_sink(settings) == 2, "the offsets behind the mark")
    assert indexed_ids(settings) == [alert_id(1)]
    empty(settings)

    with running(settings):
        write_plainly(settings, make_alert(2, 1))
        await_caught_up(settings)

    assert sorted(indexed_ids(settings)) == [alert_id(1), alert_id(2)]


def empty(settings: Settings) -> None:
    """Delete every record of the partition, as retention does in the end."""
    topic = settings.kafka.topics().alerts.name
    end = read_offsets(settings.kafka, topic)[PARTITION].end
    admin = connect_admin(settings.kafka)
    for future in admin.delete_records([TopicPartition(topic, PARTITION, end)]).values():
        future.result(DEADLINE_SECONDS)
    assert read_offsets(settings.kafka, topic)[PARTITION].start == end
