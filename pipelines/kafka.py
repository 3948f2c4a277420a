"""The one module that talks to Kafka's admin and hands out clients with the right settings.

Every request has a time limit, and every failure is a TransientError (no answer, or a broker that
is busy, starting or moving a coordinator: try again) or a TerminalError (it will not get better).
"""

from __future__ import annotations

import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeVar, cast

from confluent_kafka import (
    Consumer,
    IsolationLevel,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import ConfigResource
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.admin._resource import ResourceType
from confluent_kafka.cimpl import NewTopic

from pipelines.errors import FraudlakeError, TerminalError, TransientError
from pipelines.topics import LARGEST_OUTPUT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from concurrent.futures import Future

    from pipelines.settings import KafkaSettings
    from pipelines.topics import Topic

REQUEST_SECONDS = 10.0
BUSY_TRIES = 3
BUSY_PAUSE_SECONDS = 0.3

_BUSY = frozenset(
    {
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.NOT_CONTROLLER,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._WAIT_COORD,
    }
)
"""Answers of a broker that has just started, or has not heard of a new topic yet."""
_AWAY = frozenset(
    {
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._MSG_TIMED_OUT,
        KafkaError._RESOLVE,
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._TRANSPORT,
    }
)

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True, kw_only=True)
class OffsetRange:
    """What one partition holds: offsets from ``start`` up to, not including, ``end``."""

    start: int
    end: int


def connect_admin(settings: KafkaSettings) -> AdminClient:
    """A client for topics and offsets; connects when first used."""
    return AdminClient({"bootstrap.servers": settings.bootstrap_servers, "log_level": 0})


def connect_producer(settings: KafkaSettings, **extra: object) -> Producer:
    """An idempotent producer: every record acknowledged by all replicas, in order, once."""
    return Producer(
        {
            "bootstrap.servers": settings.bootstrap_servers,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 5,
            # What is too large for a topic is the broker's to say.
            "message.max.bytes": LARGEST_OUTPUT_BYTES,
            "partitioner": "murmur2_random",
            "log_level": 0,
            **extra,
        }
    )


def connect_consumer(settings: KafkaSettings, *, group: str, **extra: object) -> Consumer:
    """A consumer of committed records that never commits or resets offsets by itself."""
    return Consumer(
        {
            "bootstrap.servers": settings.bootstrap_servers,
            "group.id": group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "log_level": 0,
            **extra,
        }
    )


def create_topics(settings: KafkaSettings, topics: Iterable[Topic]) -> list[str]:
    """Create the topics that are missing; the names of those created. Idempotent.

    Returns when the broker lists them all. An existing topic with another number of partitions is
    refused: a card's records would no longer stay in one order.
    """
    admin = connect_admin(settings)
    existing = list_partitions(settings)
    created: list[str] = []
    for topic in topics:
        if topic.name in existing:
            _check_partitions(topic, existing[topic.name])
        elif _create_topic(admin, topic):
            created.append(topic.name)
    _await_listed(settings, created)
    return created


def delete_topics(settings: KafkaSettings, topics: Iterable[Topic]) -> None:
    """Delete the topics and all their records; those that do not exist are passed over."""
    admin = connect_admin(settings)
    existing = list_partitions(settings)
    names = [topic.name for topic in topics if topic.name in existing]
    for name, future in (admin.delete_topics(names) if names else {}).items():
        _await_answer(future, f"deleting topic {name}")


def _create_topic(admin: AdminClient, topic: Topic) -> bool:
    """False when somebody else created it in the meantime."""
    wanted = NewTopic(topic.name, num_partitions=topic.partitions, config=topic.config())
    future = admin.create_topics([wanted])[topic.name]
    try:
        _await_answer(future, f"creating topic {topic.name}")
    except FraudlakeError as error:
        if _code(error.__cause__) == KafkaError.TOPIC_ALREADY_EXISTS:
            return False
        raise
    return True


def _check_partitions(topic: Topic, found: int) -> None:
    if found != topic.partitions:
        msg = (
            f"topic {topic.name} has {found} partitions, the settings say {topic.partitions}. Set "
            f"FRAUDLAKE_KAFKA_PARTITIONS={found}, or choose another FRAUDLAKE_KAFKA_TOPIC_PREFIX"
        )
        raise TerminalError(msg)


def _await_listed(settings: KafkaSettings, names: list[str]) -> None:
    deadline = time.monotonic() + REQUEST_SECONDS
    while missing := sorted(set(names) - list_partitions(settings).keys()):
        if time.monotonic() > deadline:
            msg = f"the broker still does not list {', '.join(missing)}; try again"
            raise TransientError(msg)
        time.sleep(BUSY_PAUSE_SECONDS)


def list_partitions(settings: KafkaSettings, *, seconds: float = REQUEST_SECONDS) -> dict[str, int]:
    """The number of partitions of every topic; TransientError when no broker answers."""
    try:
        metadata = connect_admin(settings).list_topics(timeout=seconds)
    except KafkaException as error:
        msg = (
            f"no Kafka broker answers at {settings.bootstrap_servers}: {_sentence(error)}. "
            "Start the local one with `fraudlake up`, or set FRAUDLAKE_KAFKA_BOOTSTRAP_SERVERS"
        )
        raise TransientError(msg) from error
    return {name: len(topic.partitions) for name, topic in metadata.topics.items()}


def read_offsets(
    settings: KafkaSettings,
    topic: str,
    *,
    is_committed: bool = True,
    seconds: float = REQUEST_SECONDS,
) -> dict[int, OffsetRange]:
    """What each partition of ``topic`` holds of committed records; empty if it does not exist.

    Without ``is_committed``, also what lies behind a transaction that is still open.
    """
    level = IsolationLevel.READ_COMMITTED if is_committed else IsolationLevel.READ_UNCOMMITTED
    first, last = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
    count = list_partitions(settings, seconds=seconds).get(topic, 0)
    starts, ends = _read_specs(settings, topic, count, (first, last), level, seconds=seconds)
    return {part: OffsetRange(start=starts[part], end=ends[part]) for part in starts}


def read_offsets_at(
    settings: KafkaSettings, topic: str, *moments_ms: int, seconds: float = REQUEST_SECONDS
) -> list[dict[int, int]]:
    """For each moment, the first offset of each partition that is not older; else its end.

    By the records' own times in Kafka. Later moments never come before earlier ones.
    """
    level = IsolationLevel.READ_COMMITTED
    last = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    at = [OffsetSpec.for_timestamp(moment) for moment in moments_ms]
    count = list_partitions(settings, seconds=seconds).get(topic, 0)
    ends, *found = _read_specs(settings, topic, count, (last, *at), level, seconds=seconds)
    return [
        {part: end if one[part] < 0 else min(one[part], end) for part, end in ends.items()}
        for one in found
    ]


def _read_specs(
    settings: KafkaSettings,
    topic: str,
    count: int,
    specs: Iterable[OffsetSpec],
    level: IsolationLevel,
    *,
    seconds: float,
) -> list[dict[int, int]]:
    """For each of ``specs`` the offset in each partition, through one client."""
    parts = [TopicPartition(topic, partition) for partition in range(count)]
    admin = connect_admin(settings)

    def ask(spec: OffsetSpec) -> dict[int, int]:
        futures = admin.list_offsets(
            dict.fromkeys(parts, spec), isolation_level=level, request_timeout=seconds
        )
        doing = f"reading the offsets of {topic}"
        return {
            part.partition: _await_answer(future, doing, seconds=seconds).offset
            for part, future in futures.items()
        }

    return [_retry_busy(partial(ask, spec)) if parts else {} for spec in specs]


def read_transaction_limit_s(settings: KafkaSettings) -> int:
    """How long the broker lets a transaction stay open, ``transaction.max.timeout.ms``."""
    admin = connect_admin(settings)
    broker = min(admin.list_topics(timeout=REQUEST_SECONDS).brokers)
    resource = ConfigResource(ResourceType.BROKER, str(broker))
    future = admin.describe_configs([resource], request_timeout=REQUEST_SECONDS)[resource]
    found = _await_answer(future, f"reading the settings of broker {broker}")
    return int(found["transaction.max.timeout.ms"].value) // 1000


def read_group_offsets(
    settings: KafkaSettings, group: str, topic: str, *, seconds: float = REQUEST_SECONDS
) -> dict[int, int]:
    """The next offset a consumer group would read of each partition.

    A partition for which none is stored is absent.
    """
    count = list_partitions(settings, seconds=seconds).get(topic, 0)
    parts = [TopicPartition(topic, partition) for partition in range(count)]
    if not parts:
        return {}
    # Not the admin client's list_consumer_group_offsets: librdkafka 2.16 crashes the process when
    # the coordinator is not ready yet (a null group in rd_kafka_cgrp_op).
    consumer = connect_consumer(settings, group=group)
    try:
        stored = _retry_busy(lambda: _committed(consumer, parts, group, seconds))
    finally:
        consumer.close()
    return {part.partition: part.offset for part in stored if part.offset >= 0}


def _committed(
    consumer: Consumer, parts: list[TopicPartition], group: str, seconds: float
) -> list[TopicPartition]:
    doing = f"reading the offsets of group {group}"
    try:
        stored: list[TopicPartition] = consumer.committed(parts, seconds)
    except KafkaException as error:
        raise explain(error, doing) from error
    for part in stored:
        if part.error is not None:
            raise explain(KafkaException(part.error), doing)
    return stored


def find_records(
    settings: KafkaSettings,
    topic: str,
    begins: Mapping[int, int],
    *,
    seconds: float = REQUEST_SECONDS,
) -> dict[int, int]:
    """The offset of the first committed record of each partition from ``begins`` on.

    A partition that holds none is absent, whatever marks of transactions lie there.
    """
    if not begins:
        return {}
    consumer = connect_consumer(
        settings,
        group="fraudlake-looks",  # required by the client; nothing is stored for it
        **{
            "auto.offset.reset": "earliest",  # what was deleted since is no record
            "enable.partition.eof": True,
            "fetch.wait.max.ms": 10,
            "queued.min.messages": 1,
        },
    )
    consumer.assign([TopicPartition(topic, part, offset) for part, offset in begins.items()])
    found: dict[int, int] = {}
    open_ones = set(begins)
    deadline = time.monotonic() + seconds
    try:
        while open_ones:
            left = deadline - time.monotonic()
            message = consumer.poll(left) if left > 0 else None
            if message is None:
                msg = f"looking for records of {topic} took longer than {seconds:.0f} s; try again"
                raise TransientError(msg)
            error, part = message.error(), cast("int", message.partition())
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                raise explain(KafkaException(error), f"looking for records of {topic}")
            if error is None and part in open_ones:
                found[part] = cast("int", message.offset())
            open_ones.discard(part)
    finally:
        consumer.close()
    return found


def explain(error: KafkaException, doing: str) -> FraudlakeError:
    """``error`` as ours: TransientError where another try may help, else TerminalError."""
    code = _code(error)
    sentence = f"{doing} failed: {_sentence(error)}"
    if code in _BUSY or code in _AWAY or error.args[0].retriable():
        return TransientError(f"{sentence}; try again when the broker is up and settled")
    return TerminalError(sentence)


def _await_answer(
    future: Future[_Answer], doing: str, *, seconds: float = REQUEST_SECONDS
) -> _Answer:
    try:
        # The broker's own limit comes first; this one is for a client that never answers.
        return future.result(seconds * 1.5)
    except FutureTimeoutError as error:
        msg = f"{doing} took longer than {seconds * 1.5:.0f} s; try again"
        raise TransientError(msg) from error
    except KafkaException as error:
        raise explain(error, doing) from error


def _retry_busy(ask: Callable[[], _Answer]) -> _Answer:
    for _ in range(BUSY_TRIES - 1):
        try:
            return ask()
        except TransientError as error:
            if _code(error.__cause__) not in _BUSY:
                raise
            time.sleep(BUSY_PAUSE_SECONDS)
    return ask()


def _code(error: BaseException | None) -> int | None:
    return error.args[0].code() if isinstance(error, KafkaException) else None


def _sentence(error: KafkaException) -> str:
    return str(error.args[0].str())
