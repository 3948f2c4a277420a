"""One topic into one table: read, decode in blocks, commit by rows, bytes or seconds.

What the table holds is always a prefix of each partition, each record of it in one row or one dead
letter, because the position moves with the rows and with nothing else. A crash loses what was not
committed from memory, never from Kafka: the next start reads it again.

A batch whose time has come is closed: nothing is added to it, and where the table cannot take it
yet, it is kept as it is until the table can. So its dead letters are written once, however long
that lasts.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sinks.lakehouse.ingest.records import Decoded, Records, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import pyarrow as pa

    from pipelines.settings import LakehouseSettings
    from sinks.lakehouse.position import Position

_LOG = logging.getLogger(__name__)
# Large enough that the cost of a query does not matter, small enough to hold three ways at once.
BLOCK_ROWS = 10_000
BLOCK_BYTES = 16_777_216


class Source(Protocol):
    """Where records come from."""

    def read(self, records: Records, *, count: int, size: int, seconds: float) -> int:
        """Add records, so many or so many bytes; how far the position moved."""

    def verify(self) -> None:
        """Everything read was of the topic that the position names."""

    def grow(self) -> None:
        """Look for new partitions."""

    def position(self, *, dead_letters: int) -> Position:
        """Behind everything read."""

    def show_lag(self) -> None:
        """Tell lag tools."""


class Ledger(Protocol):
    """Where rows go."""

    @property
    def position(self) -> Position | None:
        """What the table has."""

    def check(self, blocks: list[pa.Table]) -> None:
        """The table can hold these rows."""

    def commit(self, blocks: list[pa.Table], position: Position) -> None:
        """Rows and position, both or neither; once more after a TransientError."""


class Letters(Protocol):
    """Where refused records go."""

    def write(self, refused: Iterable[Refused], *, source_topic: str, now_ms: int) -> None:
        """Hand over, once."""

    def confirm(self) -> None:
        """Wait until they are safe; once more after a TransientError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cadence:
    """When to commit: whichever comes first."""

    rows: int
    bytes: int
    seconds: float

    @classmethod
    def of(cls, settings: LakehouseSettings) -> Cadence:
        """What the settings say."""
        return cls(
            rows=settings.commit_rows,
            bytes=settings.commit_bytes,
            seconds=settings.commit_seconds,
        )


class Loader:
    """Fills one table; ``step`` it again and again, and ``finish`` it to stop cleanly.

    ``clock`` counts seconds and never goes back; ``now_ms`` is the time of day for dead letters.
    """

    def __init__(
        self,
        *,
        name: str,
        topic: str,
        source: Source,
        decode: Callable[[Records], Decoded],
        ledger: Ledger,
        letters: Letters,
        cadence: Cadence,
        clock: Callable[[], float],
        now_ms: Callable[[], int],
    ) -> None:
        self._name = name
        self._topic = topic
        self._source = source
        self._decode = decode
        self._ledger = ledger
        self._letters = letters
        self._cadence = cadence
        self._clock = clock
        self._now_ms = now_ms
        self._raw = Records()
        self._blocks: list[pa.Table] = []
        self._rows = 0
        self._bytes = 0
        self._refused: list[Refused] = []
        self._since: float | None = None
        self._closed: Position | None = None
        self._has_letters = False

    @property
    def is_closed(self) -> bool:
        """True while a batch waits for its table; it must not be thrown away then."""
        return self._closed is not None

    def step(self, *, seconds: float) -> int:
        """Read for at most ``seconds``, commit if it is time; how far the position moved.

        TransientError if something is away. If a batch ``is_closed``, the next step goes on with
        it; if not, what was read may be incomplete: open another loader, which reads it again.

        It also moves behind the end mark of a transaction, which is no record. That is worth a
        commit too: a position before the mark would look like a lag that never ends, and after
        Kafka has deleted the mark, like a gap.
        """
        if self.is_closed:
            self.finish()
        room = min(BLOCK_ROWS, max(self._cadence.rows - self._rows, 1)) - len(self._raw)
        space = BLOCK_BYTES - self._raw.size_bytes
        moved = self._source.read(self._raw, count=room, size=space, seconds=seconds)
        if moved > 0 and self._since is None:
            self._since = self._clock()
        if len(self._raw) >= BLOCK_ROWS or self._raw.size_bytes >= BLOCK_BYTES:
            self._decode_block()
        if self._is_due():
            self.finish()
        return moved

    def finish(self) -> None:
        """Commit everything that was read. Nothing is committed where nothing came.

        1. what is left becomes rows or dead letters, and the batch is closed, if the topic was one
           and the same all the while;
        2. the table can hold the rows;
        3. the dead letters are safe in Kafka;
        4. rows and position are in the table;
        5. lag tools may know.

        TransientError as for ``step``.
        """
        if self._since is None:
            return
        began = self._clock()
        # 1.
        position = self._close() if self._closed is None else self._closed
        # 2.
        self._ledger.check(self._blocks)
        # 3.
        self._write_letters()
        # 4.
        self._ledger.commit(self._blocks, position)
        _LOG.info(
            "event=commit table=%s rows=%d dead_letters=%d bytes=%d took_ms=%.0f offsets=%s",
            self._name,
            self._rows,
            len(self._refused),
            self._bytes,
            (self._clock() - began) * 1000,
            dict(position.next_offsets),
        )
        self._blocks, self._refused = [], []
        self._rows = self._bytes = 0
        self._since = self._closed = None
        self._has_letters = False
        # 5.
        self._source.show_lag()

    def grow(self) -> None:
        """Look for new partitions of the topic."""
        self._source.grow()

    def _is_due(self) -> bool:
        if self._since is None:
            return False
        return (
            self._rows + len(self._raw) >= self._cadence.rows
            or self._bytes + self._raw.size_bytes >= self._cadence.bytes
            or self._clock() - self._since >= self._cadence.seconds
        )

    def _close(self) -> Position:
        self._decode_block()
        self._source.verify()
        stored = self._ledger.position
        before = 0 if stored is None else stored.dead_letters
        self._closed = self._source.position(dead_letters=before + len(self._refused))
        return self._closed

    def _write_letters(self) -> None:
        if not self._refused:
            return
        if not self._has_letters:
            self._letters.write(self._refused, source_topic=self._topic, now_ms=self._now_ms())
            self._has_letters = True
        self._letters.confirm()

    def _decode_block(self) -> None:
        if len(self._raw) == 0:
            return
        decoded = self._decode(self._raw)
        self._raw = Records()
        self._blocks += [block for block in decoded.rows if block.num_rows > 0]
        self._rows += decoded.row_count
        self._bytes += decoded.size_bytes
        self._refused += decoded.refused
