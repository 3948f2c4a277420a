"""Which hours are to be compared again: those that were missed, and those that were not whole.

Pure: what was compared, and when, comes in.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from pipelines.errors import TerminalError
from pipelines.topics import INPUT_RETENTION
from sinks.reconciliation.hour import HOUR, LATENESS

if TYPE_CHECKING:
    from collections.abc import Mapping, Set

FIRST_TURN = timedelta(minutes=30)
"""So long after its end an hour is left to the schedule, which asks a quarter of an hour after."""
MOST = 12
"""Hours at a time: each is a run."""
_NAME = "%Y-%m-%d-%H:%M"


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """The newest comparison of an hour."""

    at: datetime
    is_whole: bool
    """All of its checks passed."""


def name_hour(begin: datetime) -> str:
    """An hour as a partition.

    >>> name_hour(datetime(2026, 3, 1, 14, tzinfo=UTC))
    '2026-03-01-14:00'
    """
    return begin.strftime(_NAME)


def read_hour(name: str) -> datetime:
    """Its beginning; TerminalError where that is no full hour."""
    try:
        begin = datetime.strptime(name, _NAME).replace(tzinfo=UTC)
    except ValueError as error:
        raise TerminalError(_refuse(name)) from error
    if begin != _full_hour(begin):
        raise TerminalError(_refuse(name))
    return begin


def begin_of_hours(now: datetime) -> datetime:
    """The month before this one: Kafka holds seven days, and what was red stays to be seen longer.

    Older hours are no longer offered.
    """
    this_month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (this_month - timedelta(days=1)).replace(day=1)


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


def _refuse(name: str) -> str:
    return f"{name} is no hour: it is written by its beginning in UTC, such as 2026-03-01-14:00"


def _full_hour(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
