"""Two jobs over the same input, compared: nothing missing, nothing twice, nothing different.

A difference is explained where a feature that depends on the order of arrival across cards differs,
or where such a difference came before on the same card: alerts add up. Everything else is not.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

    from bench.faults.outcomes import AlertKey, Outcomes, Place

DERIVED = frozenset({"score", "band", "rules_fired", "alert_id"})
"""What follows from the features."""
SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """What one job wrote."""

    decisions: int
    letters: int
    alerts: int
    missing: int
    doubled: int
    doubled_alerts: int
    strangers: int
    first: tuple[str, ...]
    """Where to look: the first of the faults above."""

    @property
    def is_well(self) -> bool:
        """Whether every record ended once, and every alert is there once."""
        return self.missing + self.doubled + self.doubled_alerts + self.strangers == 0


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs between two decisions on one record."""

    card_id: str
    members: tuple[str, ...]
    """By name, features as ``features.<name>``; ``bytes`` where all members are equal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What differs between the two, and how much of it the order of arrival explains."""

    records: int
    explained: int
    members: Mapping[str, int]
    """How many records differ in each member."""
    alerts: int
    explained_alerts: int
    reworded: int
    """Dead letters that say the same in other words; no difference of the records above."""
    first: tuple[str, ...]
    """The first that nothing explains."""

    @property
    def is_well(self) -> bool:
        return self.records == self.explained and self.alerts == self.explained_alerts


def judge_side(outcomes: Outcomes) -> Side:
    """Count what is missing, there twice, or not of this input."""
    missing, doubled = outcomes.missing(), outcomes.doubled()
    first = [
        *(f"missing {place}" for place in missing[:SHOWN]),
        *(f"twice {place}" for place in doubled[:SHOWN]),
        *(f"alert twice {key}" for key in list(outcomes.doubled_alerts)[:SHOWN]),
        *(f"not of this input {stranger}" for stranger in outcomes.strangers[:SHOWN]),
    ]
    return Side(
        decisions=outcomes.decisions,
        letters=outcomes.letters,
        alerts=len(outcomes.alerts),
        missing=len(missing),
        doubled=len(doubled),
        doubled_alerts=outcomes.doubled_alerts.total(),
        strangers=len(outcomes.strangers),
        first=tuple(first),
    )


def different_places(one: Outcomes, other: Outcomes) -> list[Place]:
    """The records that both jobs ended, with other bytes."""
    return [
        place
        for place in one.places()
        if (ours := one.digest(place)) is not None
        and (theirs := other.digest(place)) is not None
        and ours != theirs
    ]


def different_alerts(one: Outcomes, other: Outcomes) -> list[AlertKey]:
    """The revisions that only one of them has, or that have other bytes."""
    return sorted(
        key
        for key in one.alerts.keys() | other.alerts.keys()
        if _digest_of(one, key) != _digest_of(other, key)
    )


def explain(
    one: Outcomes,
    other: Outcomes,
    found: Mapping[Place, Difference],
    *,
    order_features: Set[str],
) -> Differences:
    """Judge the differences; ``found`` says in what the decisions on a place differ.

    A place that is not there counts as not explained.
    """
    places = different_places(one, other)
    members = Counter(name for place in places for name in _members(found.get(place)))
    moved: set[str] = set()
    """The cards on which the order of arrival has changed something."""
    unexplained = [
        f"{place} in {', '.join(_members(found.get(place)))}"
        for place in places
        if not _is_explained(found.get(place), order_features, moved)
    ]
    alerts = different_alerts(one, other)
    unexplained_alerts = [key for key in alerts if _card_of(key, one, other) not in moved]
    return Differences(
        records=len(places),
        explained=len(places) - len(unexplained),
        members=dict(members.most_common()),
        alerts=len(alerts),
        explained_alerts=len(alerts) - len(unexplained_alerts),
        reworded=sum(
            one.details[place] != other.details[place]
            for place in one.details.keys() & other.details.keys()
        ),
        first=(*unexplained[:SHOWN], *(f"alert {key}" for key in unexplained_alerts[:SHOWN])),
    )


def find_difference(ours: bytes, theirs: bytes) -> Difference:
    """In what two decisions on one record differ.

    >>> find_difference(
    ...     b'{"transaction":{"card_id":"c"},"features":{"a":1,"b":2}}',
    ...     b'{"transaction":{"card_id":"c"},"features":{"a":3}}',
    ... )
    Difference(card_id='c', members=('features.a', 'features.b'))
    """
    one, other = _flatten(ours), _flatten(theirs)
    names = [*one, *(name for name in other if name not in one)]
    absent = object()
    members = [name for name in names if one.get(name, absent) != other.get(name, absent)]
    return Difference(one["transaction"]["card_id"], tuple(members) or ("bytes",))


def _flatten(value: bytes) -> dict[str, Any]:
    members: dict[str, Any] = json.loads(value)
    features = members.pop("features", None) or {}
    members.pop("decided_at", None)
    return members | {f"features.{name}": found for name, found in features.items()}


def _members(difference: Difference | None) -> tuple[str, ...]:
    return ("what was not found again",) if difference is None else difference.members


def _is_explained(difference: Difference | None, order_features: Set[str], moved: set[str]) -> bool:
    causes = {f"features.{name}" for name in order_features}
    if difference is None or not set(difference.members) <= causes | DERIVED:
        return False
    if causes.isdisjoint(difference.members):
        return difference.card_id in moved
    moved.add(difference.card_id)
    return True


def _digest_of(outcomes: Outcomes, key: AlertKey) -> bytes | None:
    found = outcomes.alerts.get(key)
    return None if found is None else found.digest


def _card_of(key: AlertKey, one: Outcomes, other: Outcomes) -> str:
    return (one.alerts.get(key) or other.alerts[key]).card_id
