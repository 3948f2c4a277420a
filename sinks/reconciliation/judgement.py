"""Judging what was found: what is missing, there twice, or there without a cause.

Pure functions over counts; the same judgement serves the command, the checks and the tests.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import TYPE_CHECKING

from sinks.alerts.indices import say_closed

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sinks.reconciliation.counts import OffsetCounts

SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One comparison: what should be there once, and how that is not so."""

    what: str
    expected: int
    found: int
    """Everything there, doubles included."""
    distinct: int
    """Different ones."""
    missing: int
    doubled: int
    unexpected: int
    """There, but without a cause in the step before."""
    examples: tuple[str, ...]
    """The first places or ids at fault, each with what is wrong."""
    unjudged: int = 0
    """Neither there nor missing: it cannot be seen."""
    note: str = ""
    """Why, in a sentence."""

    @property
    def is_balanced(self) -> bool:
        """Everything that can be seen once, and nothing else."""
        return self.missing == 0 and self.doubled == 0 and self.unexpected == 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What was seen in each system, of the same stretch of input."""

    transactions: OffsetCounts
    decisions: OffsetCounts
    dead_letters: OffsetCounts
    lake_decisions: OffsetCounts
    lake_dead_letters: OffsetCounts
    flagged: OffsetCounts
    """The input of decisions that name an alert."""
    alerts: OffsetCounts
    """The input of the decision that caused each revision of an alert."""
    alerts_caused: frozenset[str] = frozenset()
    """Ids of the alerts that a decision of the stretch caused."""
    alerts_retained: frozenset[str] = frozenset()
    """Ids of all alerts in the topic."""
    alerts_closed: frozenset[str] = frozenset()
    """Of those caused: the ones in ``closed_months``. Nobody can see whether they are there."""
    closed_months: tuple[str, ...] = ()
    """The indices of the months that somebody has closed."""
    documents: Counter[str] = field(default_factory=Counter)
    """Alert ids of the index."""
    documents_caused: frozenset[str] = frozenset()
    """Ids of the documents made from a retained alert, as they say themselves."""
    unreadable: tuple[str, ...] = ()
    """Places in our own topics that hold no record of ours."""


def judge(evidence: Evidence) -> tuple[Finding, ...]:
    """Compare each step with the one before it."""
    return (*judge_stored(evidence), *judge_alerted(evidence), *_unreadable(evidence.unreadable))


def judge_stored(evidence: Evidence) -> tuple[Finding, ...]:
    """Every transaction decided or set aside, and that in the lakehouse."""
    outcomes = evidence.decisions.plus(evidence.dead_letters)
    return (
        _compare_offsets("input -> decisions + dead letters", evidence.transactions, outcomes),
        _compare_offsets("decisions -> Iceberg", evidence.decisions, evidence.lake_decisions),
        _compare_offsets(
            "dead letters -> Iceberg", evidence.dead_letters, evidence.lake_dead_letters
        ),
    )


def judge_alerted(evidence: Evidence) -> tuple[Finding, ...]:
    """Every flagged decision in an alert, and that in the index."""
    return (
        _compare_offsets("flagged decisions -> alerts", evidence.flagged, evidence.alerts),
        _compare_documents(evidence),
    )


def _compare_offsets(what: str, wanted: OffsetCounts, found: OffsetCounts) -> Finding:
    missing, doubled, unexpected = [], [], []
    for partition, offset in wanted.differences(found):
        place, times = f"{partition}:{offset}", found.count(partition, offset)
        if wanted.count(partition, offset) == 0:
            unexpected.append(place)
        elif times == 0:
            missing.append(place)
        else:
            doubled.append(place)
    return _finding(
        what,
        expected=wanted.distinct(),
        found=found.total(),
        distinct=found.distinct(),
        missing=missing,
        doubled=doubled,
        unexpected=unexpected,
    )


def _compare_documents(evidence: Evidence) -> Finding:
    """One document for each alert, whatever its number of revisions."""
    closed = evidence.alerts_closed
    wanted = evidence.alerts_caused - closed
    stray = evidence.documents_caused - evidence.alerts_retained
    of_interest = {name: evidence.documents[name] for name in wanted | stray}
    return _finding(
        "alerts -> Elasticsearch",
        expected=len(wanted),
        found=sum(of_interest.values()),
        distinct=sum(times > 0 for times in of_interest.values()),
        missing=sorted(wanted - evidence.documents.keys()),
        doubled=sorted(name for name, times in of_interest.items() if times > 1),
        unexpected=sorted(stray),
        unjudged=len(closed),
        note=_say_unjudged(len(closed), evidence.closed_months),
    )


def _say_unjudged(count: int, closed_months: Sequence[str]) -> str:
    if count == 0:
        return ""
    alerts = "1 alert" if count == 1 else f"{count:,} alerts"
    return f"{alerts} cannot be judged: {say_closed(closed_months)}"


def _unreadable(places: Collection[str]) -> tuple[Finding, ...]:
    """A finding of its own when somebody else wrote into our topics."""
    if not places:
        return ()
    return (
        _finding(
            "records that are not ours",
            expected=0,
            found=len(places),
            missing=[],
            doubled=[],
            unexpected=sorted(places),
        ),
    )


def _finding(
    what: str,
    *,
    expected: int,
    found: int,
    distinct: int | None = None,
    missing: Collection[str],
    doubled: Collection[str],
    unexpected: Collection[str],
    unjudged: int = 0,
    note: str = "",
) -> Finding:
    examples = chain(
        (f"{name} missing" for name in missing),
        (f"{name} doubled" for name in doubled),
        (f"{name} unexpected" for name in unexpected),
    )
    return Finding(
        what=what,
        expected=expected,
        found=found,
        distinct=found if distinct is None else distinct,
        missing=len(missing),
        doubled=len(doubled),
        unexpected=len(unexpected),
        examples=tuple(islice(examples, SHOWN)),
        unjudged=unjudged,
        note=note,
    )
