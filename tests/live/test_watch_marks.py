"""What the watch takes for late: alerts, never the marks of Kafka's own transactions."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from orchestration.topic_assets import judge_kept
from orchestration.watching import broker
from orchestration.watching.broker import look_at_broker
from orchestration.watching.glance import Late
from pipelines.errors import TerminalError, TransientError
from pipelines.kafka import (
    connect_admin,
    connect_consumer,
    connect_producer,
    delete_topics,
    find_records,
    read_topic_settings,
)
from sinks.alerts.run import name_group

if TYPE_CHECKING:
    from orchestration.watching.glance import BrokerGlance
    from pipelines.settings import Settings

pytestmark = pytest.mark.live


def write(settings: Settings, *, aborted: int, committed: int) -> None:
    """Each alert in a transaction of its own, as the job's are, in partition 0."""
    topic = settings.kafka.topics().alerts.name
    producer = connect_producer(settings.kafka, **{"transactional.id": f"{topic}-test"})
    producer.init_transactions(30)
    for number in range(aborted + committed):
        producer.begin_transaction()
        producer.produce(topic, value=b"{}", partition=0)
        producer.flush(30)
        if number < committed:
            producer.commit_transaction(30)
        else:
            producer.abort_transaction(30)


def move_sink(settings: Settings, offset: int) -> None:
    """As the alert sink does: behind the last record that it has written."""
    consumer = connect_consumer(settings.kafka, group=name_group(settings))
    place = TopicPartition(settings.kafka.topics().alerts.name, 0, offset)
    consumer.commit(offsets=[place], asynchronous=False)
    consumer.close()


def look(settings: Settings, now: datetime) -> BrokerGlance:
    """Two seconds for a question may be too few on a machine that has much else to do."""
    deadline = time.monotonic() + 60
    while True:
        try:
            return look_at_broker(settings, now, seconds=2.0)
        except TransientError:
            if time.monotonic() > deadline:
                raise


def test_marks_are_not_late_and_a_single_alert_is(settings: Settings) -> None:
    topics = settings.kafka.topics()
    # Two alerts with a mark behind each, and three that were taken back: offsets 0 to 9.
    write(settings, committed=2, aborted=3)
    later = datetime.now(UTC) + timedelta(hours=1)

    move_sink(settings, 3)
    assert find_records(settings.kafka, topics.alerts.name, {0: 3}) == {}
    seen = look(settings, later)
    assert (seen.alerts_lag, seen.alerts_late) == (0, Late(late=0, too_late=0))

    move_sink(settings, 1)
    assert find_records(settings.kafka, topics.alerts.name, {0: 1, 1: 0}) == {0: 2}
    seen = look(settings, later)
    assert seen.alerts_late.late > 0
    assert seen.alerts_late == Late(late=seen.alerts_lag, too_late=seen.alerts_lag)


def test_what_stands_behind_an_open_transaction_is_seen(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody reads it, no lag shows it, and the job's checkpoints go on."""
    monkeypatch.setattr(broker, "LATE_S", 0)
    monkeypatch.setattr(broker, "TOO_LATE_S", 0)
    topic = settings.kafka.topics().decisions.name
    producer = connect_producer(settings.kafka, **{"transactional.id": f"{topic}-open"})
    producer.init_transactions(30)
    producer.begin_transaction()
    for _ in range(3):
        producer.produce(topic, value=b"{}", partition=0)
    assert producer.flush(30) == 0
    soon = datetime.now(UTC) + timedelta(minutes=1)

    assert look(settings, soon).hidden == Late(late=3, too_late=3)

    producer.commit_transaction(30)
    assert look(settings, soon).hidden == Late(late=0, too_late=0)


def test_dead_letters_are_counted_without_the_marks_between_them(settings: Settings) -> None:
    topic = settings.kafka.topics().dead_letters.name
    producer = connect_producer(settings.kafka, **{"transactional.id": f"{topic}-test"})
    producer.init_transactions(30)
    for _ in range(4):  # each with a mark behind it
        producer.begin_transaction()
        producer.produce(topic, value=b"{}")
        producer.commit_transaction(30)

    assert look(settings, datetime.now(UTC)).letters_last_hour == 4


def test_topic_that_is_gone_is_named(settings: Settings) -> None:
    delete_topics(settings.kafka, [settings.kafka.topics().labels])

    with pytest.raises(TerminalError, match=r"no topic \S*labels at \S+: materialize kafka/labels"):
        look(settings, datetime.now(UTC))


def test_topics_are_kept_as_declared_and_a_shorter_time_is_told(settings: Settings) -> None:
    topic = settings.kafka.topics().transactions
    assert judge_kept(topic, read_topic_settings(settings.kafka, topic.name)).passed

    resource = ConfigResource(ResourceType.TOPIC, topic.name)
    hour = ConfigEntry("retention.ms", "3600000", incremental_operation=AlterConfigOpType.SET)
    resource.add_incremental_config(hour)
    admin = connect_admin(settings.kafka)
    admin.incremental_alter_configs([resource])[resource].result(30)

    verdict = judge_kept(topic, read_topic_settings(settings.kafka, topic.name))
    assert "retention.ms is 3600000, to be 604800000" in verdict.sentence
