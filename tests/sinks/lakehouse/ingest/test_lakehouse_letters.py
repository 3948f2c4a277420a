"""Letters: complete, confirmed, and known by their place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipelines.contracts.dead_letter import DeadLetter, parse_dead_letter
from pipelines.errors import TransientError
from sinks.lakehouse.ingest.letters import Letters
from sinks.lakehouse.ingest.records import Refused

if TYPE_CHECKING:
    from collections.abc import Callable


class Broker:
    """A producer whose broker takes values of up to ``limit`` bytes, and may be away."""

    def __init__(self, *, limit: int = 1000, is_away: bool = False) -> None:
        self.limit = limit
        self.is_away = is_away
        self.is_full = False
        self.sent: list[bytes] = []
        self.taken: dict[bytes, bytes] = {}
        self._on_way: list[tuple[bytes, bytes, Callable[..., None]]] = []

    def produce(
        self, topic: str, *, key: bytes, value: bytes, on_delivery: Callable[..., None]
    ) -> None:
        assert topic == "dead-letters"
        if len(value) > self.limit:
            raise KafkaException(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
        if self.is_full:
            raise BufferError("Local: Queue full")
        self.sent.append(key)
        self._on_way.append((key, value, on_delivery))
        if not self.is_away:
            self.come_back()

    def come_back(self) -> None:
        for key, value, on_delivery in self._on_way:
            self.taken[key] = value
            on_delivery(None, cast("Message", None))
        self._on_way.clear()

    def poll(self, _seconds: float) -> int:
        return 0

    def flush(self, _seconds: float) -> int:
        return len(self._on_way)


def letters(broker: Broker) -> Letters:
    return Letters(cast("Producer", broker), topic="dead-letters")


def refused(value: bytes | None, **members: Any) -> Refused:
    return Refused(
        value=value, partition=2, offset=9, reason="not_json", detail="not JSON", **members
    )


def test_a_letter_says_where_its_record_is_and_what_was_wrong() -> None:
    broker = Broker()
    box = letters(broker)

    box.write([refused(b"\xff")], source_topic="decisions", now_ms=1_772_366_402_000)
    box.confirm()

    assert {key: parse_dead_letter(value) for key, value in broker.taken.items()} == {
        b"decisions-2-9": DeadLetter(
            stage="lakehouse",
            reason="not_json",
            detail="not JSON",
            original=b"\xff",
            topic="decisions",
            partition=2,
            offset=9,
            failed_at_ms=1_772_366_402_000,
        )
    }


def test_a_record_too_large_for_a_letter_is_named_without_its_bytes() -> None:
    broker = Broker(limit=500)

    letters(broker).write([refused(b"x" * 600)], source_topic="decisions", now_ms=0)

    letter = parse_dead_letter(broker.taken[b"decisions-2-9"])
    assert letter.original is None
    assert "600 bytes" in letter.detail


def test_letters_the_broker_does_not_take_are_not_confirmed() -> None:
    box = letters(Broker(is_away=True))
    box.write([refused(b"x")], source_topic="decisions", now_ms=0)

    with pytest.raises(TransientError, match="dead-letters: 1 unconfirmed"):
        box.confirm()


def test_a_letter_that_the_broker_has_refused_is_sent_again_and_the_others_are_not() -> None:
    broker = Broker()
    box = letters(broker)
    broker.is_full = True
    box.write([refused(b"x")], source_topic="decisions", now_ms=0)
    with pytest.raises(TransientError, match="dead-letters: Local: Queue full"):
        box.confirm()
    broker.is_full = False

    box.confirm()
    box.confirm()

    assert broker.sent == [b"decisions-2-9"]


def test_a_letter_that_is_on_its_way_is_waited_for_and_not_sent_again() -> None:
    broker = Broker(is_away=True)
    box = letters(broker)
    box.write([refused(b"x")], source_topic="decisions", now_ms=0)
    for _ in range(2):
        with pytest.raises(TransientError, match="1 unconfirmed"):
            box.confirm()

    broker.come_back()
    box.confirm()

    assert broker.sent == [b"decisions-2-9"]
