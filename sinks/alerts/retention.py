"""Old months go, whole; a month in which somebody still has work to do stays.

Deleting is in this order, so that a case which is opened again meanwhile is not lost:

1. close the index to writing;
2. count again what is unfinished;
3. nothing: delete the index. Something: open it again, and keep it.

A crash after 1 leaves the month closed to writing. The next ``expire_months`` or ``apply_index``
goes on from there.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sinks.alerts.client import connect, translate_errors
from sinks.alerts.indices import (
    MonthIndex,
    allow_writes,
    block_writes,
    count_documents,
    read_inventory,
    say_closed,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings

_LOG = logging.getLogger(__name__)

_PENDING = {"term": {"case.label.state": "pending"}}
_NOT_CLOSED = {"bool": {"must_not": {"term": {"case.status": "closed"}}}}
"""Also what has no status: nobody has closed it."""
_UNFINISHED = {"bool": {"should": [_NOT_CLOSED, _PENDING], "minimum_should_match": 1}}


class Fate(StrEnum):
    """What becomes of a month, and why."""

    YOUNG = "young"
    """Some of its alerts are not old enough."""
    NEWEST = "newest"
    """It is the newest one, whatever the clock says."""
    UNFINISHED = "unfinished"
    """Old enough, but a case is not closed, or the labels of a verdict are not sent."""
    REBUILDING = "rebuilding"
    """Old enough, but there is an unfinished copy of it."""
    CLOSED = "closed"
    """Somebody has closed it (``_close``): nobody can say what is in it."""
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthFigures:
    """A month, and what is in it."""

    name: str
    """Of the index itself."""
    plain_name: str
    month: date
    """Its first day."""
    documents: int
    """This and what follows is 0 where ``is_closed``: nothing was counted."""
    not_closed: int
    labels_pending: int
    unfinished: int
    """One of the two, or both."""
    is_copied: bool = False
    is_writable: bool = True
    is_closed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A month and its fate."""

    figures: MonthFigures
    fate: Fate


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """What a run found, and what it did."""

    before: tuple[Judged, ...]
    after: tuple[Judged, ...]
    """As they are now: without those that are gone."""
    deleted: tuple[str, ...]


def plan_retention(
    months: Sequence[MonthFigures], *, today: date, keep_months: int
) -> list[Judged]:
    """The fate of each month.

    A month expires when all of its alerts are older than ``keep_months`` months: with 1, in
    November, everything before October. The newest month stays whatever ``today`` is, and so does
    everything later: a clock that is wrong deletes at most what is old beside the newest.

    >>> from datetime import date
    >>> def month(year, number):
    ...     return MonthFigures(
    ...         name="",
    ...         plain_name="",
    ...         month=date(year, number, 1),
    ...         documents=1,
    ...         not_closed=0,
    ...         labels_pending=0,
    ...         unfinished=0,
    ...     )
    >>> months = [month(2025, 11), month(2025, 12), month(2026, 1)]
    >>> [one.fate.value for one in plan_retention(months, today=date(2026, 1, 31), keep_months=1)]
    ['expired', 'young', 'newest']
    """
    newest = max((one.month for one in months), default=None)
    return [
        Judged(figures=one, fate=_judge(one, newest=newest, today=today, keep_months=keep_months))
        for one in months
    ]


def read_retention(settings: Settings, *, today: date, keep_months: int) -> list[Judged]:
    """The fate of each month there is; nothing is changed."""
    with connect(settings.elasticsearch) as client, translate_errors(settings.elasticsearch):
        months = _read_figures(client, settings.elasticsearch.index)
    return plan_retention(months, today=today, keep_months=keep_months)


def expire_months(
    settings: Settings,
    *,
    today: date,
    keep_months: int,
    say: Callable[[str], None] = lambda _: None,
    confirm: Callable[[], None] = lambda: None,
) -> Expiry:
    """Delete the months that have expired; ``say`` is told of each.

    Safe while the sink writes and people work on cases; run one at a time, and not beside
    ``apply_index``: ``confirm`` is called before a month is opened or deleted, and raises when
    another is at work (``index_lock``). TransientError when Elasticsearch is away or busy,
    SinkError when it refuses.
    """
    alias = settings.elasticsearch.index
    deleted: list[str] = []
    with connect(settings.elasticsearch) as client, translate_errors(settings.elasticsearch):
        before = plan_retention(_read_figures(client, alias), today=today, keep_months=keep_months)
        for one in before:
            old = one.figures
            if one.fate is Fate.CLOSED:
                say(f"{old.plain_name} stays, unjudged: {say_closed([old.name])}")
            if one.fate is Fate.UNFINISHED and not old.is_writable:
                confirm()
                allow_writes(client, old.name)  # a run was ended before it opened it again
            if one.fate is not Fate.EXPIRED:
                continue
            if unfinished := _delete_finished(client, old.name, confirm):
                say(f"{old.plain_name} stays: {unfinished:,} alerts are unfinished since a moment")
                continue
            deleted.append(old.name)
            say(f"{old.plain_name} is deleted: {old.documents:,} alerts, all closed")
        after = plan_retention(_read_figures(client, alias), today=today, keep_months=keep_months)
    return Expiry(
        before=tuple(before),
        after=tuple(after),
        deleted=tuple(deleted),
    )


def _judge(figures: MonthFigures, *, newest: date | None, today: date, keep_months: int) -> Fate:
    if figures.is_closed:
        return Fate.CLOSED
    if figures.month == newest:
        return Fate.NEWEST
    if _count_months(today) - _count_months(figures.month) <= keep_months:
        return Fate.YOUNG
    if figures.is_copied:
        return Fate.REBUILDING
    return Fate.UNFINISHED if figures.unfinished > 0 else Fate.EXPIRED


def _count_months(day: date) -> int:
    return day.year * 12 + day.month


def _delete_finished(client: Elasticsearch, name: str, confirm: Callable[[], None]) -> int:
    """Delete the index, unless something in it is unfinished; how many documents are."""
    # 1. close
    block_writes(client, name)
    is_deleted = False
    try:
        # 2. count again
        unfinished = count_documents(client, name, _UNFINISHED)
        # 3. delete or open
        if unfinished == 0:
            confirm()
            client.indices.delete(index=name)
            is_deleted = True
            _LOG.info("event=month_deleted index=%s", name)
    finally:
        if not is_deleted:
            allow_writes(client, name)
    return unfinished


def _read_figures(client: Elasticsearch, alias: str) -> list[MonthFigures]:
    inventory = read_inventory(client, alias)
    copied = {one.month for one in inventory.copies}
    return [
        _read_month(client, month, is_copied=month.month in copied) for month in inventory.months
    ]


def _read_month(client: Elasticsearch, month: MonthIndex, *, is_copied: bool) -> MonthFigures:
    def count(query: dict[str, Any] | None = None) -> int:
        return 0 if month.is_closed else count_documents(client, month.name, query)

    return MonthFigures(
        name=month.name,
        plain_name=month.plain_name,
        month=month.month,
        documents=count(),
        not_closed=count(_NOT_CLOSED),
        labels_pending=count(_PENDING),
        unfinished=count(_UNFINISHED),
        is_copied=is_copied,
        is_writable=month.is_writable,
        is_closed=month.is_closed,
    )
