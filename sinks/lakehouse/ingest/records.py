"""Records of one topic as columns, as they are read, before anybody looks into them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa


@dataclass(slots=True, kw_only=True)
class Records:
    """Values and places side by side; grows by ``add``."""

    values: list[bytes | None] = field(default_factory=list)
    partitions: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    times_ms: list[int] = field(default_factory=list)
    size_bytes: int = 0

    def __len__(self) -> int:
        return len(self.values)

    def add(self, *, value: bytes | None, partition: int, offset: int, time_ms: int) -> None:
        """One more record."""
        self.values.append(value)
        self.partitions.append(partition)
        self.offsets.append(offset)
        self.times_ms.append(time_ms)
        self.size_bytes += 0 if value is None else len(value)

    def select(self, indexes: Iterable[int]) -> Records:
        """The records at ``indexes``."""
        chosen = Records()
        for at in indexes:
            chosen.add(
                value=self.values[at],
                partition=self.partitions[at],
                offset=self.offsets[at],
                time_ms=self.times_ms[at],
            )
        return chosen


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A record that its table cannot hold, and why."""

    value: bytes | None = field(repr=False)
    partition: int
    offset: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """Rows in the table's columns, and what could not become a row; together every record once."""

    rows: tuple[pa.Table, ...]
    refused: tuple[Refused, ...]

    @property
    def row_count(self) -> int:
        """How many rows there are."""
        return sum(block.num_rows for block in self.rows)

    @property
    def size_bytes(self) -> int:
        """What rows and refused records take in memory."""
        rows: int = sum(block.nbytes for block in self.rows)
        return rows + sum(0 if one.value is None else len(one.value) for one in self.refused)
