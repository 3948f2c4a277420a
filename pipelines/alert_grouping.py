"""Which flagged decisions of a card belong to one alert: slow and obvious.

The job does the same in Java (``AlertKernel``); both are compared on random streams.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.ids import alert_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True, kw_only=True)
class Flagged:
    """A decision of the card in band review or block; money in minor units."""

    transaction_id: str
    event_time_ms: int
    base_minor: int
    score: float
    is_block: bool
    reasons: tuple[tuple[str, str], ...]
    """Id and sentence of each rule that fired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """An alert as it stands with one more decision."""

    alert_id: str
    sequence: int
    opening_transaction_id: str
    opened_at_ms: int
    updated_at_ms: int
    base_minor: int
    score: float
    is_block: bool
    reasons: tuple[tuple[str, str], ...]
    """Each rule so far, the first to fire first, with its newest sentence."""


def group_alerts(card_id: str, flagged: Iterable[Flagged], *, window_ms: int) -> Iterator[Revision]:
    """A revision for each decision, in their order.

    A decision joins the open alert if its event time is less than ``window_ms`` away from the
    opening one's. A later one opens the next alert. One from long before is an alert of its own,
    and the open one stays open. (The job forgets an alert a day after its window has passed: what
    comes later still opens one of its own.)
    """
    members: list[Flagged] = []
    for decision in flagged:
        if not members or decision.event_time_ms >= members[0].event_time_ms + window_ms:
            members = [decision]
        elif decision.event_time_ms <= members[0].event_time_ms - window_ms:
            yield _sum_up(card_id, [decision])
            continue
        else:
            members.append(decision)
        yield _sum_up(card_id, members)


def _sum_up(card_id: str, members: list[Flagged]) -> Revision:
    opening = members[0]
    return Revision(
        alert_id=alert_id(card_id=card_id, transaction_id=opening.transaction_id),
        sequence=len(members),
        opening_transaction_id=opening.transaction_id,
        opened_at_ms=opening.event_time_ms,
        updated_at_ms=max(member.event_time_ms for member in members),
        base_minor=sum(member.base_minor for member in members),
        score=max(member.score for member in members),
        is_block=any(member.is_block for member in members),
        reasons=tuple(dict(reason for member in members for reason in member.reasons).items()),
    )
