"""What a delivery decides; that it is once, and whole, is shown in ``tests/live``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from confluent_kafka import KafkaError, Message

from pipelines.contracts.label import Label
from pipelines.errors import TransientError
from pipelines.settings import Settings
from sinks.alerts import label_delivery
from sinks.alerts.label_delivery import HEADER, _scan, deliver

if TYPE_CHECKING:
    from collections.abc import Callable

LABEL = Label(
    transaction_id="tx-0",
    card_id="card-7",
    merchant_id="merchant-9",
    event_time_ms=1,
    label="fraud",
    source="investigator",
    label_time_ms=2,
)
LONG_SECONDS = 600.0
Answer = tuple[float, list[Message]]


class Producer:
    """Writes down what it is asked to do."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.times: list[int] = []

    def produce(self, *_: object, timestamp: int, **__: object) -> None:
        self.done.append("produce")
        self.times.append(timestamp)

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: self.done.append(name)


class Consumer:
    """Answers from a script; each answer takes its time on the clock."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *answers: Answer) -> None:
        self._answers = list(answers)
        self._now = 0.0
        monkeypatch.setattr("sinks.alerts.label_delivery.time.monotonic", lambda: self._now)

    def consume(self, *_: object) -> list[Message]:
        seconds, messages = self._answers.pop(0) if self._answers else (1.0, [])
        self._now += seconds
        assert self._now < LONG_SECONDS, "the search does not give up"
        return messages


def record(offset: int, label_id: bytes = b"of-others") -> Message:
    return Message(topic="labels", partition=0, offset=offset, headers=[(HEADER, label_id)])


def end(offset: int) -> Message:
    error = KafkaError(KafkaError._PARTITION_EOF)
    return Message(topic="labels", partition=0, offset=offset, error=error)


@pytest.fixture
def producer(monkeypatch: pytest.MonkeyPatch) -> Producer:
    made = Producer()
    monkeypatch.setattr(label_delivery, "connect_producer", lambda *_, **__: made)
    monkeypatch.setattr(label_delivery, "create_topics", lambda *_: [])
    return made


def send(*, is_current: bool = True) -> int:
    return deliver(
        Settings.from_env({}).kafka,
        [LABEL],
        label_id="1",
        alert_id="a",
        is_current=lambda: is_current,
    )


def test_labels_leave_in_one_transaction(
    producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_delivery, "_holds", lambda *_, **__: False)

    assert send() == 1

    steps = ["init_transactions", "begin_transaction", "produce", "commit_transaction"]
    assert producer.done == steps
    # Not that of the sender: from there the next one searches.
    assert producer.times == [LABEL.label_time_ms]


def test_labels_that_are_in_the_topic_are_not_sent(
    producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(label_delivery, "_holds", lambda *_, **__: True)

    assert send() == 0
    assert producer.done == ["init_transactions"]


def test_labels_of_a_verdict_that_was_replaced_are_not_sent(producer: Producer) -> None:
    assert send(is_current=False) == 0
    assert producer.done == ["init_transactions"]


def test_case_is_asked_when_nobody_else_can_be_sending(producer: Producer) -> None:
    before: list[str] = []

    def is_current() -> bool:
        before.extend(producer.done)
        return False

    deliver(Settings.from_env({}).kafka, [LABEL], label_id="1", alert_id="a", is_current=is_current)

    assert before == ["init_transactions"]


def test_search_that_does_not_end_says_what_to_do(
    producer: Producer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> bool:
        msg = "too slow"
        raise TimeoutError(msg)

    monkeypatch.setattr(label_delivery, "_holds", fail)

    with pytest.raises(TransientError, match=r"too slow.*`fraudlake alerts send-verdicts`"):
        send()
    assert producer.done == ["init_transactions"]


def scan(consumer: Consumer, *, end: int, stable: int) -> bool:
    return _scan(consumer, b"1", {0: 0}, {0: end}, stable={0: stable})  # type: ignore[arg-type]


def test_long_search_goes_on_as_long_as_it_gets_on(monkeypatch: pytest.MonkeyPatch) -> None:
    slow = [(29.0, [record(offset)]) for offset in range(9)]

    assert not scan(Consumer(monkeypatch, *slow), end=9, stable=9)
    assert scan(Consumer(monkeypatch, *slow, (29.0, [record(9, b"1")])), end=10, stable=10)


def test_search_behind_an_open_transaction_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    # The end is told again and again, and is no progress.
    answers = [(1.0, [record(0), record(1)]), *((1.0, [end(2)]) for _ in range(40))]

    with pytest.raises(TimeoutError, match="a transaction of another producer was open for 30 s"):
        scan(Consumer(monkeypatch, *answers), end=5, stable=2)


def test_search_that_the_broker_leaves_alone_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TimeoutError, match="sent nothing for 30 s, 4 records before the end"):
        scan(Consumer(monkeypatch, (1.0, [record(0)])), end=5, stable=5)
