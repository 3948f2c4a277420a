from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest

from pipelines.errors import TransientError
from pipelines.generator import Emission
from pipelines.pacing import Pace
from pipelines.producer import Produced, produce
from pipelines.topics import declare_topics

if TYPE_CHECKING:
    from collections.abc import Callable

TOPICS = declare_topics(prefix="x-")


class Wall:
    """A clock that only waiting moves, and the sender that waits: a legal RecordSender."""

    def __init__(self, *, refuse: bytes | None = None, break_after: int | None = None) -> None:
        self.now = 50.0
        self.sent: list[tuple[float, str, bytes | None]] = []
        self.acknowledged: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.last_failure: str | None = None
        self._open: list[tuple[str, bytes | None]] = []
        self._refuse = refuse
        self._break_after = break_after

    def clock(self) -> float:
        return self.now

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        if self._break_after is not None and len(self.sent) >= self._break_after:
            msg = "the broker went away"
            raise TransientError(msg)
        self.sent.append((self.now, topic, value))
        self._open.append((topic, key))

    def wait(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds

    def flush(self) -> None:
        for topic, key in self._open:
            if key == self._refuse:
                self.failed[topic] += 1
                self.last_failure = f"topic {topic}: too large"
            else:
                self.acknowledged[topic] += 1
        self._open.clear()


def emission(kind: str, at_ms: int, name: str, scenario: str | None = None) -> Emission:
    return Emission(
        kind=kind,  # type: ignore[arg-type]
        key=name.encode(),
        value=f"{kind} {name}".encode(),
        at_ms=at_ms,
        scenario=scenario,
    )


STREAM = [
    emission("customer", 0, "u1"),
    emission("customer", 0, "u2"),
    emission("transaction", 1000, "c1"),
    emission("transaction", 1500, "c2", "card_testing"),
    emission("malformed", 1500, "c2"),
    emission("repeat", 3000, "c1"),
    emission("label", 3200, "c2", "card_testing"),
]


def run(
    wall: Wall,
    *,
    speed: float | None = 1.0,
    should_stop: Callable[[], bool] = lambda: False,
    seen: list[Produced] | None = None,
) -> Produced:
    return produce(
        STREAM,
        wall,
        TOPICS,
        pace=Pace(speed=speed, clock=wall.clock),
        on_progress=(lambda _: None) if seen is None else seen.append,
        should_stop=should_stop,
    )


def test_each_record_goes_to_its_topic_at_its_moment() -> None:
    wall = Wall()
    run(wall)
    assert [(round(at - 50, 3), topic, value) for at, topic, value in wall.sent] == [
        (0, "x-customers", b"customer u1"),
        (0, "x-customers", b"customer u2"),
        (0, "x-transactions", b"transaction c1"),
        (0.5, "x-transactions", b"transaction c2"),
        (0.5, "x-transactions", b"malformed c2"),
        (2.0, "x-transactions", b"repeat c1"),
        (2.2, "x-labels", b"label c2"),
    ]


def test_a_faster_speed_shortens_the_waits_and_max_has_none() -> None:
    wall = Wall()
    run(wall, speed=10.0)
    assert wall.now == pytest.approx(50.22)
    wall = Wall()
    run(wall, speed=None)
    assert wall.now == 50.0


def test_the_summary_counts_what_was_sent_and_what_arrived() -> None:
    produced = run(Wall(refuse=b"c2"))
    assert produced == Produced(
        customers=2,
        transactions=2,
        frauds={"card_testing": 1},
        labels=1,
        malformed=1,
        repeats=1,
        first_ms=1000,
        last_ms=1500,
        acknowledged={"x-customers": 2, "x-transactions": 2},
        failed={"x-transactions": 2, "x-labels": 1},
        last_failure="topic x-labels: too large",
        seconds=pytest.approx(2.2),  # type: ignore[arg-type]
    )


def test_profiles_are_acknowledged_before_the_first_transaction() -> None:
    class Strict(Wall):
        def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
            if topic == "x-transactions":
                assert self.acknowledged["x-customers"] == 2
            super().send(topic, key, value)

    run(Strict())


def test_a_stop_ends_the_stream_at_once_and_leaves_nothing_open() -> None:
    wall = Wall()
    produced = run(wall, should_stop=lambda: wall.now >= 51.0)
    assert produced.is_stopped
    assert (produced.transactions, produced.malformed, produced.repeats) == (2, 1, 0)
    assert sum(produced.acknowledged.values()) == 5
    assert wall.now < 51.2


def test_progress_is_told_while_waiting_and_at_the_end() -> None:
    seen: list[Produced] = []
    produced = run(Wall(), seen=seen)
    assert seen[-1] == produced
    assert len(seen) > 20  # ten times a second
    sent = [each.transactions for each in seen]
    assert sent == sorted(sent)


def test_an_error_of_the_sender_is_not_swallowed() -> None:
    with pytest.raises(TransientError, match="went away"):
        run(Wall(break_after=3))
