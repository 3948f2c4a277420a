"""Which hours are to be compared again: those that were missed, and those that were not whole.

Pure: what was compared, and when, comes in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pipelines.topics import INPUT_RETENTION
from sinks.reconciliation.hour import HOUR, LATENESS

if TYPE_CHECKING:
    from collections.abc import Mapping, Set
    from datetime import datetime

FIRST_TURN = timedelta(minutes=30)
"""So long after its end an hour is left to the schedule, which asks a quarter of an hour after."""
MOST = 12
"""Hours at a time: each is a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The newest comparison of an hour."""

    at: datetime
    is_whole: bool
    """All of its checks passed."""


def newest_closed(now: datetime) -> datetime:
    """The beginning of the newest hour whose last outputs have had time to come."""
    return _full_hour(now - LATENESS) - HOUR


def choose_hours(
    known: Set[datetime], outcomes: Mapping[datetime, Compared], *, now: datetime
) -> list[datetime]:
    """The beginnings of at most ``MOST`` hours of those that Kafka still holds, oldest first.

    ``known`` are the hours that were ever compared: none before the oldest of them is missed. An
    hour that was not whole is due when twice the time has passed since its end, so that one that
    stays broken is asked some ten times in a week.
    """
    if not known:
        return []
    # What begins to be deleted while it is read would be missing: an hour less than is held.
    begin = max(min(known), _full_hour(now - INPUT_RETENTION) + 2 * HOUR)
    due = []
    while begin + HOUR + FIRST_TURN <= now:
        if _is_due(outcomes.get(begin) if begin in known else None, begin + HOUR, now):
            due.append(begin)
        begin += HOUR
    return due[:MOST]


def _is_due(compared: Compared | None, end: datetime, now: datetime) -> bool:
    if compared is None:
        return True
    return not compared.is_whole and now - end >= 2 * (compared.at - end)


def _full_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
