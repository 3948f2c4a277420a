"""How often each offset of a stretch of input was seen somewhere, and where that is wrong."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

_ONCE = bytes([0] + [1] * 255)
"""Translates counts to seen (1) or not (0)."""
_SLICE = 65_536

Stretch: TypeAlias = Mapping[int, range]
"""The offsets of each partition that are looked at."""


class OffsetCounts:
    """One byte for each offset of the stretch, stopping at 255; what lies outside is ignored."""

    def __init__(self, stretch: Stretch) -> None:
        self._stretch = dict(stretch)
        self._seen = {partition: bytearray(len(held)) for partition, held in stretch.items()}

    def empty(self) -> OffsetCounts:
        """Nothing seen yet, of the same stretch."""
        return OffsetCounts(self._stretch)

    def includes(self, partition: int, offset: int) -> bool:
        """Whether the offset belongs to the stretch."""
        return partition in self._stretch and offset in self._stretch[partition]

    def add(self, partition: int, offset: int) -> None:
        """See one offset."""
        if self.includes(partition, offset):
            seen = self._seen[partition]
            at = offset - self._stretch[partition].start
            seen[at] = min(255, seen[at] + 1)

    def count(self, partition: int, offset: int) -> int:
        """How often it was seen."""
        if not self.includes(partition, offset):
            return 0
        return self._seen[partition][offset - self._stretch[partition].start]

    def total(self) -> int:
        """All sightings."""
        return sum(sum(seen) for seen in self._seen.values())

    def distinct(self) -> int:
        """Different offsets."""
        return sum(len(seen) - seen.count(0) for seen in self._seen.values())

    def plus(self, other: OffsetCounts) -> OffsetCounts:
        """Both together, of the same stretch."""
        both = self.empty()
        for partition, seen in self._seen.items():
            pairs = zip(seen, other._seen[partition], strict=True)
            both._seen[partition] = bytearray(min(255, one + two) for one, two in pairs)
        return both

    def differences(self, found: OffsetCounts) -> Iterator[tuple[int, int]]:
        """The places that ``found`` does not hold exactly once, or holds though they are not here.

        Slices that agree are passed over whole: almost always all of them.
        """
        for partition, held in self._stretch.items():
            wanted, seen = self._seen[partition].translate(_ONCE), found._seen[partition]
            for begin in range(0, len(held), _SLICE):
                end = begin + _SLICE
                if wanted[begin:end] != seen[begin:end]:
                    for at in range(begin, min(end, len(held))):
                        if wanted[at] != seen[at]:
                            yield partition, held[at]
