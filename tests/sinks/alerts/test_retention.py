from __future__ import annotations

from datetime import date

import pytest

from sinks.alerts.retention import Fate, MonthFigures, plan_retention


def month(year: int, number: int, **changes: int | bool) -> MonthFigures:
    values = {"documents": 5, "not_closed": 0, "labels_pending": 0, "unfinished": 0, **changes}
    name = f"fraud-alerts-{year}.{number:02d}"
    return MonthFigures(name=name, plain_name=name, month=date(year, number, 1), **values)  # type: ignore[arg-type]


def fates(*months: MonthFigures, today: date, keep: int) -> list[Fate]:
    return [one.fate for one in plan_retention(months, today=today, keep_months=keep)]


@pytest.mark.parametrize(
    ("today", "keep", "first_kept"),
    [
        (date(2026, 11, 1), 1, (2026, 10)),
        (date(2026, 11, 30), 1, (2026, 10)),
        (date(2026, 1, 1), 1, (2025, 12)),
        (date(2026, 12, 31), 12, (2025, 12)),
        (date(2027, 1, 1), 12, (2026, 1)),
        (date(2026, 11, 15), 13, (2025, 10)),
    ],
)
def test_a_month_expires_when_its_last_alert_is_older_than_the_limit(
    today: date, keep: int, first_kept: tuple[int, int]
) -> None:
    year, number = first_kept
    before = (year - 1, 12) if number == 1 else (year, number - 1)
    newest = month(today.year, today.month)

    assert fates(month(*before), month(year, number), newest, today=today, keep=keep) == [
        Fate.EXPIRED,
        Fate.YOUNG,
        Fate.NEWEST,
    ]


@pytest.mark.parametrize("count", [1, 12])
def test_a_month_with_unfinished_work_stays(count: int) -> None:
    months = month(2020, 1, unfinished=count), month(2026, 11)

    assert fates(*months, today=date(2026, 11, 1), keep=1) == [Fate.UNFINISHED, Fate.NEWEST]


def test_the_newest_month_stays_when_the_clock_is_years_ahead() -> None:
    months = month(2026, 10), month(2026, 11)

    assert fates(*months, today=date(2066, 1, 1), keep=1) == [Fate.EXPIRED, Fate.NEWEST]


def test_months_in_the_future_stay_and_do_not_make_others_old() -> None:
    months = month(2026, 11), month(2999, 12), month(3999, 1)

    assert fates(*months, today=date(2026, 11, 1), keep=1) == [
        Fate.YOUNG,
        Fate.YOUNG,
        Fate.NEWEST,
    ]


def test_a_month_that_is_being_built_anew_stays() -> None:
    months = month(2020, 1, is_copied=True), month(2026, 11)

    assert fates(*months, today=date(2026, 11, 1), keep=1) == [Fate.REBUILDING, Fate.NEWEST]


def test_a_month_that_somebody_has_closed_stays_and_keeps_no_other() -> None:
    months = month(2019, 1, is_closed=True), month(2020, 1), month(2026, 11, is_closed=True)

    assert fates(*months, today=date(2026, 11, 1), keep=1) == [
        Fate.CLOSED,
        Fate.EXPIRED,
        Fate.CLOSED,
    ]


def test_without_months_there_is_nothing_to_plan() -> None:
    assert plan_retention([], today=date(2026, 11, 1), keep_months=1) == []
