"""Judging what was found: which input offsets and alert ids are missing, or there twice.

Pure functions over counters; the same judgement serves the command, the checks and the tests.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

SHOWN = 20


class OffsetCounts:
    """How often each offset of a topic was seen: one byte for each, saturating at 255."""

    def __init__(self) -> None:
        self._seen: dict[int, bytearray] = {}

    def add(self, partition: int, offset: int) -> None:
        """See one offset."""
        seen = self._seen.setdefault(partition, bytearray())
        if offset >= len(seen):
            seen.extend(bytes(max(offset + 1 - len(seen), len(seen) // 2, 1024)))
        seen[offset] = min(255, seen[offset] + 1)

    def count(self, partition: int, offset: int) -> int:
        """How often it was seen."""
        seen = self._seen.get(partition, bytearray())
        return seen[offset] if offset < len(seen) else 0

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Every offset seen at least once, in order."""
        for partition in sorted(self._seen):
            for offset, times in enumerate(self._seen[partition]):
                if times:
                    yield partition, offset

    def total(self) -> int:
        """All sightings."""
        return sum(sum(seen) for seen in self._seen.values())

    def distinct(self) -> int:
        """Different offsets."""
        return sum(len(seen) - seen.count(0) for seen in self._seen.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One comparison: what should be there once, and is missing or there more often."""

    what: str
    expected: int
    found: int
    missing: int
    doubled: int
    examples: tuple[str, ...]
    """The first places or ids that are missing or doubled."""

    @property
    def is_balanced(self) -> bool:
        """Everything once."""
        return self.missing == 0 and self.doubled == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was seen in each system, of the same stretch of input."""

    transactions: OffsetCounts
    decisions: OffsetCounts
    dead_letters: OffsetCounts
    lake_decisions: OffsetCounts
    lake_dead_letters: OffsetCounts
    flagged: Counter[str] = field(default_factory=Counter)
    """Alert ids that decisions name."""
    alerts: Counter[str] = field(default_factory=Counter)
    """Alert ids of the ``alerts`` topic; a growing alert is there once for each revision."""
    documents: Counter[str] = field(default_factory=Counter)


def judge(evidence: Evidence) -> tuple[Finding, ...]:
    """Compare each step with the one before it."""
    outcome = _sum(evidence.decisions, evidence.dead_letters)
    return (
        _compare_offsets(
            "transactions -> decisions + dead letters", evidence.transactions, outcome
        ),
        _compare_offsets("decisions -> Iceberg", evidence.decisions, evidence.lake_decisions),
        _compare_offsets(
            "dead letters -> Iceberg", evidence.dead_letters, evidence.lake_dead_letters
        ),
        _compare_ids("flagged decisions -> alerts", evidence.flagged, set(evidence.alerts)),
        _compare_ids("alerts -> Elasticsearch", evidence.alerts, evidence.documents),
    )


def _sum(first: OffsetCounts, second: OffsetCounts) -> OffsetCounts:
    both = OffsetCounts()
    for counts in (first, second):
        for partition, offset in counts:
            for _ in range(counts.count(partition, offset)):
                both.add(partition, offset)
    return both


def _compare_offsets(what: str, wanted: OffsetCounts, found: OffsetCounts) -> Finding:
    missing = [place for place in wanted if found.count(*place) == 0]
    doubled = [place for place in found if found.count(*place) > 1]
    examples = [f"{p}:{o} missing" for p, o in missing] + [f"{p}:{o} doubled" for p, o in doubled]
    return Finding(
        what=what,
        expected=wanted.distinct(),
        found=found.total(),
        missing=len(missing),
        doubled=len(doubled),
        examples=tuple(examples[:SHOWN]),
    )


def _compare_ids(what: str, wanted: Iterable[str], found: Mapping[str, int] | set[str]) -> Finding:
    expected = set(wanted)
    missing = sorted(expected - set(found))
    times = found if isinstance(found, Mapping) else {}
    doubled = sorted(name for name, count in times.items() if count > 1)
    examples = [f"{name} missing" for name in missing] + [f"{name} doubled" for name in doubled]
    return Finding(
        what=what,
        expected=len(expected),
        found=sum(times.values()) if times else len(found),
        missing=len(missing),
        doubled=len(doubled),
        examples=tuple(examples[:SHOWN]),
    )
