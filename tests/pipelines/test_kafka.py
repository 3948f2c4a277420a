"""Which failures of the broker are worth another try."""

from __future__ import annotations

import pytest
from confluent_kafka import KafkaError, KafkaException

from pipelines.errors import TerminalError, TransientError
from pipelines.kafka import (
    connect_producer,
    explain,
    list_partitions,
    read_offsets,
    read_transaction_limit_s,
)
from pipelines.settings import KafkaSettings


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
    ],
)
def test_a_busy_or_absent_broker_is_worth_another_try(code: int) -> None:
    error = explain(KafkaException(KafkaError(code)), "reading the offsets of group g")
    assert isinstance(error, TransientError)
    assert str(error).startswith("reading the offsets of group g failed: ")


@pytest.mark.parametrize(
    "code",
    [
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.INVALID_PARTITIONS,
        KafkaError.TOPIC_ALREADY_EXISTS,
        KafkaError._FATAL,
    ],
)
def test_a_refusal_is_final(code: int) -> None:
    error = explain(KafkaException(KafkaError(code)), "creating topic t")
    assert isinstance(error, TerminalError)


def test_no_broker_is_a_sentence_that_says_what_to_do() -> None:
    nobody = KafkaSettings(bootstrap_servers="127.0.0.1:1")
    with pytest.raises(
        TransientError, match=r"no Kafka broker answers at 127\.0\.0\.1:1: .*fraudlake"
    ):
        list_partitions(nobody, seconds=0.2)
    with pytest.raises(TransientError):
        read_offsets(nobody, "transactions", seconds=0.2)
    # A deployment asks this with the old job stopped: what is no sentence was not taken back.
    with pytest.raises(TransientError, match=r"no Kafka broker answers at 127\.0\.0\.1:1"):
        read_transaction_limit_s(nobody, seconds=0.2)


def test_producers_are_idempotent() -> None:
    # The client refuses settings that would break what idempotence promises.
    with pytest.raises(KafkaException, match="acks"):
        connect_producer(KafkaSettings(), acks=1)
    with pytest.raises(KafkaException, match=r"max\.in\.flight"):
        connect_producer(KafkaSettings(), **{"max.in.flight": 100})
