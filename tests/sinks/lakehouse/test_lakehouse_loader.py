"""When the loader commits, in which order, and what it says about it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from pipelines.errors import TransientError
from sinks.lakehouse.loader import BLOCK_ROWS, Cadence, Loader
from sinks.lakehouse.position import Position
from sinks.lakehouse.records import Decoded, Records, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass
class Story:
    """What happened, in order."""

    events: list[str] = field(default_factory=list)


@dataclass
class Topic:
    """A source that has ``waiting`` records, ``bad`` ones among them."""

    story: Story
    waiting: list[bytes] = field(default_factory=list)
    next_offset: int = 0
    marks: int = 0

    def read(self, records: Records, *, count: int, seconds: float) -> int:
        taken, self.waiting = self.waiting[:count], self.waiting[count:]
        for value in taken:
            records.add(value=value, partition=0, offset=self.next_offset, time_ms=0)
            self.next_offset += 1
        marks, self.marks = self.marks, 0
        self.next_offset += marks
        return len(taken) + marks

    def grow(self) -> None:
        self.story.events.append("grow")

    def position(self, *, dead_letters: int) -> Position:
        return Position(
            cluster_id="c",
            topic_id="t",
            topic="decisions",
            next_offsets={0: self.next_offset},
            dead_letters=dead_letters,
        )

    def show_lag(self) -> None:
        self.story.events.append("lag")


@dataclass
class Memory:
    """A ledger that keeps rows in a list."""

    story: Story
    rows: list[int] = field(default_factory=list)
    position: Position | None = None

    def commit(self, blocks: list[pa.Table], position: Position) -> None:
        self.rows += [row for block in blocks for row in block.column("offset").to_pylist()]
        self.position = position
        self.story.events.append(f"commit {position.next_offsets[0]}")


@dataclass
class Box:
    """Letters, which the broker takes unless ``is_away``."""

    story: Story
    offsets: list[int] = field(default_factory=list)
    is_away: bool = False

    def write(self, refused: Iterable[Refused], *, source_topic: str, now_ms: int) -> None:
        self.offsets += [one.offset for one in refused]

    def confirm(self) -> None:
        if self.is_away:
            raise TransientError("away")
        self.story.events.append("letters")


def decode(records: Records) -> Decoded:
    good = [o for o, v in zip(records.offsets, records.values, strict=True) if v != b"bad"]
    bad = [o for o, v in zip(records.offsets, records.values, strict=True) if v == b"bad"]
    return Decoded(
        rows=(pa.table({"offset": pa.array(good, pa.int64())}),),
        refused=tuple(
            Refused(value=b"bad", partition=0, offset=o, reason="not_json", detail="") for o in bad
        ),
    )


@dataclass
class World:
    story: Story
    topic: Topic
    ledger: Memory
    letters: Box
    loader: Loader
    now: list[float]


@pytest.fixture
def world() -> Callable[..., World]:
    def build(*, rows: int = 1000, size: int = 1_000_000, seconds: float = 10.0) -> World:
        story = Story()
        topic, ledger, letters = Topic(story), Memory(story), Box(story)
        now = [0.0]
        loader = Loader(
            name="fraud.decisions",
            topic="decisions",
            source=topic,
            decode=decode,
            ledger=ledger,
            letters=letters,
            cadence=Cadence(rows=rows, bytes=size, seconds=seconds),
            clock=lambda: now[0],
            now_ms=lambda: 0,
        )
        return World(story, topic, ledger, letters, loader, now)

    return build


def test_rows_wait_until_the_seconds_since_the_first_of_them_are_over(
    world: Callable[..., World],
) -> None:
    w = world(seconds=10)
    w.now[0] = 100
    w.topic.waiting = [b"1"]
    w.loader.step(seconds=0)
    w.now[0] = 109
    w.topic.waiting = [b"2"]
    w.loader.step(seconds=0)
    assert w.story.events == []

    w.now[0] = 110
    w.loader.step(seconds=0)

    assert (w.ledger.rows, w.story.events) == ([0, 1], ["commit 2", "lag"])


def test_enough_rows_or_bytes_do_not_wait(world: Callable[..., World]) -> None:
    for w in (world(rows=2), world(size=8)):
        w.topic.waiting = [b"1234", b"5678"]

        w.loader.step(seconds=0)

        assert w.ledger.rows == [0, 1]


def test_a_commit_has_no_more_rows_than_it_should(world: Callable[..., World]) -> None:
    w = world(rows=2)
    w.topic.waiting = [b"1"] * 5
    for _ in range(3):
        w.loader.step(seconds=0)

    assert w.story.events == ["commit 2", "lag", "commit 4", "lag"]


def test_an_idle_topic_is_never_committed(world: Callable[..., World]) -> None:
    w = world(seconds=1)
    for w.now[0] in (0.0, 50.0, 100.0):
        w.loader.step(seconds=0)

    w.loader.finish()

    assert w.story.events == []


def test_the_end_mark_of_a_transaction_moves_the_position_without_a_record(
    world: Callable[..., World],
) -> None:
    w = world(seconds=1)
    w.topic.marks = 1
    w.loader.step(seconds=0)
    w.now[0] = 1
    w.loader.step(seconds=0)

    assert (w.ledger.rows, w.story.events) == ([], ["commit 1", "lag"])


def test_finish_commits_what_was_read_and_then_nothing_more(world: Callable[..., World]) -> None:
    w = world()
    w.topic.waiting = [b"1"]
    w.loader.step(seconds=0)

    w.loader.finish()
    w.loader.finish()

    assert (w.ledger.rows, w.story.events) == ([0], ["commit 1", "lag"])


def test_letters_are_safe_before_the_position_moves_and_are_counted_from_the_start(
    world: Callable[..., World],
) -> None:
    w = world()
    w.topic.waiting = [b"1", b"bad", b"2"]
    w.loader.step(seconds=0)
    w.loader.finish()
    w.topic.waiting = [b"bad"]
    w.loader.step(seconds=0)
    w.loader.finish()

    assert w.story.events == ["letters", "commit 3", "lag", "letters", "commit 4", "lag"]
    assert (w.ledger.rows, w.letters.offsets) == ([0, 2], [1, 3])
    assert w.ledger.position is not None
    assert w.ledger.position.dead_letters == 2


def test_the_position_stays_when_the_letters_are_not_safe(world: Callable[..., World]) -> None:
    w = world()
    w.letters.is_away = True
    w.topic.waiting = [b"bad"]
    w.loader.step(seconds=0)

    with pytest.raises(TransientError):
        w.loader.finish()

    assert w.ledger.position is None


def test_memory_holds_one_block_of_raw_records_at_most(world: Callable[..., World]) -> None:
    w = world(rows=10**9, size=10**12)
    w.topic.waiting = [b"1"] * (2 * BLOCK_ROWS + 5)

    assert [w.loader.step(seconds=0) for _ in range(4)] == [BLOCK_ROWS, BLOCK_ROWS, 5, 0]
    w.loader.finish()

    assert w.ledger.rows == list(range(2 * BLOCK_ROWS + 5))
