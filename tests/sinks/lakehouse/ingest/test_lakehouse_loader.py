"""When the loader commits, in which order, and what it says about it."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from pipelines.errors import TransientError
from sinks.lakehouse.ingest.loader import BLOCK_BYTES, BLOCK_ROWS, Cadence, Loader
from sinks.lakehouse.ingest.records import Decoded, Records, Refused
from sinks.lakehouse.position import Position

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
    is_recreated: bool = False
    most: int = 0
    """The most bytes that were ever handed out at once."""

    def read(self, records: Records, *, count: int, size: int, seconds: float) -> int:
        before = len(records), records.size_bytes
        end = before[1] + size
        while self.waiting and len(records) - before[0] < count and records.size_bytes < end:
            records.add(value=self.waiting.pop(0), partition=0, offset=self.next_offset, time_ms=0)
            self.next_offset += 1
        self.most = max(self.most, records.size_bytes)
        marks, self.marks = self.marks, 0
        self.next_offset += marks
        return len(records) - before[0] + marks

    def verify(self) -> None:
        if self.is_recreated:
            raise TransientError("created again")

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
    is_narrow: bool = False
    is_full: bool = False
    attempts: int = 0

    def check(self, blocks: list[pa.Table]) -> None:
        if self.is_narrow:
            raise TransientError("lacks a feature")

    def commit(self, blocks: list[pa.Table], position: Position) -> None:
        self.attempts += 1
        if self.is_full:
            raise TransientError("no space left")
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


def test_letters_are_written_once_however_long_the_table_takes_no_commit(
    world: Callable[..., World],
) -> None:
    w = world(seconds=1)
    w.ledger.is_full = True
    w.topic.waiting = [b"1", b"bad"]
    w.loader.step(seconds=0)
    w.now[0] = 1
    for _ in range(5):
        with pytest.raises(TransientError, match="no space"):
            w.loader.step(seconds=0)
    assert (w.ledger.attempts, w.loader.is_closed) == (5, True)

    w.ledger.is_full = False
    w.topic.waiting = [b"3"]
    w.loader.step(seconds=0)
    w.now[0] = 2
    w.loader.step(seconds=0)

    assert (w.letters.offsets, w.ledger.rows, w.loader.is_closed) == ([1], [0, 2], False)
    assert w.ledger.position is not None
    assert w.ledger.position.dead_letters == 1


def test_no_letter_is_written_before_the_table_can_hold_the_rows(
    world: Callable[..., World],
) -> None:
    """It would be written anew each time the process is started while the table cannot."""
    w = world()
    w.ledger.is_narrow = True
    w.topic.waiting = [b"1", b"bad"]
    w.loader.step(seconds=0)
    for _ in range(3):
        with pytest.raises(TransientError, match="lacks a feature"):
            w.loader.finish()
    assert w.letters.offsets == []

    w.ledger.is_narrow = False
    w.loader.finish()

    assert (w.letters.offsets, w.ledger.rows) == ([1], [0])


def test_letters_that_are_not_safe_yet_are_confirmed_later_and_not_written_again(
    world: Callable[..., World],
) -> None:
    w = world()
    w.letters.is_away = True
    w.topic.waiting = [b"bad"]
    w.loader.step(seconds=0)
    for _ in range(3):
        with pytest.raises(TransientError):
            w.loader.finish()
    w.letters.is_away = False

    w.loader.finish()

    assert (w.letters.offsets, w.story.events) == ([0], ["letters", "commit 1", "lag"])


def test_a_closed_batch_takes_in_nothing_more(world: Callable[..., World]) -> None:
    w = world(rows=2)
    w.ledger.is_full = True
    w.topic.waiting = [b"1", b"2", b"3"]
    for _ in range(2):
        with pytest.raises(TransientError):
            w.loader.step(seconds=0)
    w.ledger.is_full = False

    w.loader.step(seconds=0)

    assert w.story.events == ["commit 2", "lag"]


def test_records_of_a_topic_that_was_created_again_are_not_stored_as_those_of_the_old_one(
    world: Callable[..., World],
) -> None:
    w = world()
    w.topic.waiting = [b"1", b"bad"]
    w.loader.step(seconds=0)
    w.topic.is_recreated = True

    with pytest.raises(TransientError, match="created again"):
        w.loader.finish()

    assert (w.loader.is_closed, w.ledger.rows, w.letters.offsets) == (False, [], [])


def test_a_block_ends_at_its_bytes_however_few_records_that_are(
    world: Callable[..., World],
) -> None:
    w = world(rows=10**9, size=10**12)
    large = b"x" * 1_000_000
    w.topic.waiting = [large] * 40
    while w.topic.waiting:
        w.loader.step(seconds=0)
    w.loader.finish()

    assert w.ledger.rows == list(range(40))
    assert w.topic.most < BLOCK_BYTES + len(large)


def test_refused_records_count_among_the_bytes_of_a_batch(world: Callable[..., World]) -> None:
    """They wait in memory as rows do."""
    w = world(size=20)
    w.topic.waiting = [b"bad"] * 8

    w.loader.step(seconds=0)

    assert w.letters.offsets == list(range(8))


def test_memory_holds_one_block_of_raw_records_at_most(world: Callable[..., World]) -> None:
    w = world(rows=10**9, size=10**12)
    w.topic.waiting = [b"1"] * (2 * BLOCK_ROWS + 5)

    assert [w.loader.step(seconds=0) for _ in range(4)] == [BLOCK_ROWS, BLOCK_ROWS, 5, 0]
    w.loader.finish()

    assert w.ledger.rows == list(range(2 * BLOCK_ROWS + 5))


def test_48_records_of_a_megabyte_that_unfold_in_memory_are_stored_within_a_gigabyte(
    tmp_path: Path,
) -> None:
    """They used to end the process, again and again: DuckDB had no room for them."""
    script = Path(__file__).parents[1] / "wide_records.py"
    paths = os.pathsep.join(map(str, (script.parents[3], script.parent)))
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)],
        env=os.environ | {"PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
        timeout=200,
    )

    rows, most_mb = map(int, done.stdout.split())
    assert rows == 48
    assert most_mb < 1000
