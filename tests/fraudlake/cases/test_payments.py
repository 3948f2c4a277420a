"""The card's payments around an alert, asked of a lakehouse in a folder."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from decision_records import decision_value, decisions_table
from small_history import source_at, store
from stored_alerts import ALERT_ID, NOON, make_stored

from fraudlake.cases.payments import MOST_SHOWN, read_flagged, read_timeline
from pipelines.settings import LakehouseSettings, Settings, StackSettings
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.tables import DECISIONS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sinks.alerts.stored import StoredAlert

History = list[tuple[float, dict[str, Any]]]
"""Minutes after the alert was opened, and what is unusual about the decision."""
OPENING: tuple[float, dict[str, Any]] = (0, {"alert_id": ALERT_ID, "band": "block"})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return dataclasses.replace(
        Settings(), stack=StackSettings(home=tmp_path), lakehouse=LakehouseSettings()
    )


@pytest.fixture
def keep(settings: Settings) -> Callable[[History], None]:
    """Store these payments, named tx-0, tx-1 ... in their order, in a lakehouse of their own."""

    def keep(history: History) -> None:
        values = []
        for number, (minutes, members) in enumerate(history):
            moment = (NOON + timedelta(minutes=minutes)).isoformat()
            transaction = {
                "transaction_id": f"tx-{number}",
                "card_id": members.pop("card_id", "card-7"),
                "event_time": moment,
            }
            values.append(decision_value(transaction, source=source_at(number), **members))
        with open_catalog(settings) as catalog:
            decisions_table(catalog)
            store(catalog, DECISIONS, values)

    return keep


def an_alert(*, until_minutes: float = 0) -> StoredAlert:
    """Opened by tx-0 at noon; its latest payment came so much later."""
    return dataclasses.replace(make_stored(), updated_at=NOON + timedelta(minutes=until_minutes))


def test_timeline_has_two_days_before_and_an_hour_after(
    settings: Settings, keep: Callable[[History], None]
) -> None:
    usual: dict[str, Any] = {"band": "allow", "rules_fired": []}
    keep(
        [
            OPENING,
            (-2 * 24 * 60 - 1, {**usual}),  # too early
            (-2 * 24 * 60, {**usual}),
            (60, {**usual}),
            (61, {**usual}),  # too late
            (-5, {**usual, "card_id": "card-8"}),
            (0, {**usual, "is_duplicate": True, "duplicate_of_offset": 0}),
            (-1, {"alert_id": "f" * 32}),
        ]
    )

    timeline = read_timeline(settings, an_alert())

    found = [(one.transaction_id, one.band, one.is_of_alert) for one in timeline.payments]
    assert found == [
        ("tx-2", "allow", False),
        ("tx-7", "review", False),
        ("tx-0", "block", True),
        ("tx-3", "allow", False),
    ]
    assert timeline.total == 4
    opening = timeline.payments[2]
    assert (opening.at, opening.amount, opening.currency) == (NOON, 12.3, "EUR")
    assert opening.rules == ("velocity", "large_amount")


def test_long_timeline_keeps_the_newest_and_the_payment_that_opened_the_alert(
    settings: Settings, keep: Callable[[History], None]
) -> None:
    """Two earlier ones, the opening, then 100 of the alert: 103, of which 41 are shown."""
    later: History = [(minute, {"alert_id": ALERT_ID}) for minute in range(1, 101)]
    keep([OPENING, *later, (-2, {}), (-1, {})])

    timeline = read_timeline(settings, an_alert(until_minutes=100))

    found = [one.transaction_id for one in timeline.payments]
    assert found == ["tx-0", *(f"tx-{number}" for number in range(61, 101))]
    assert len(found) == MOST_SHOWN + 1
    assert timeline.total == 103


def test_card_that_the_lakehouse_does_not_know_has_an_empty_timeline(
    settings: Settings, keep: Callable[[History], None]
) -> None:
    keep([(0, {"card_id": "card-8"})])

    timeline = read_timeline(settings, an_alert())

    assert (timeline.payments, timeline.total) == ((), 0)


def test_flagged_payments_are_those_of_the_alert(
    settings: Settings, keep: Callable[[History], None]
) -> None:
    keep([OPENING, (1, {"alert_id": ALERT_ID}), (2, {}), (3, {"alert_id": "f" * 32})])

    found = read_flagged(settings, an_alert(until_minutes=1))

    assert [(one.transaction_id, one.card_id) for one in found] == [
        ("tx-0", "card-7"),
        ("tx-1", "card-7"),
    ]
    assert found[1].event_time_ms - found[0].event_time_ms == 60_000
