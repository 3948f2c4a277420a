"""Months of alerts that are old, on a real Elasticsearch: deleted, kept, opened in between."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from alert_index import documents, names
from alert_runs import alert_id, await_caught_up, make_alert, running, send

from pipelines.errors import TerminalError, TransientError
from sinks.alerts import cases, retention
from sinks.alerts.apply import apply_index
from sinks.alerts.differences import read_differences
from sinks.alerts.indices import (
    block_writes,
    read_inventory,
)
from sinks.alerts.retention import Expiry, Fate, expire_months, read_retention

if TYPE_CHECKING:
    from collections.abc import Callable

    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings
    from sinks.alerts.stored import StoredAlert

pytestmark = pytest.mark.live

TODAY = date(2026, 11, 27)


def fill_months(settings: Settings, index: Elasticsearch) -> None:
    """Three alerts in 2019, one in each of three months of 2026; those of 2019 are closed."""
    opened = ["2019-02-03T04:05:06Z"] * 3
    opened += ["2026-09-30T23:59:59Z", "2026-10-01T00:00:00Z", "2026-11-30T00:00:00Z"]
    send(settings, *(make_alert(n, 1, opened_at=moment) for n, moment in enumerate(opened)))
    with running(settings):
        await_caught_up(settings)
    for number in range(3):
        close(settings, index, number)


def close(settings: Settings, index: Elasticsearch, number: int, **case: Any) -> None:
    index.update(
        index=f"{settings.elasticsearch.index}-2019.02",
        id=alert_id(number),
        doc={"case": {"status": "closed", "verdict": "fraud", **case}},
        refresh=True,
    )


def test_old_months_are_deleted_when_all_their_cases_are_closed(
    settings: Settings, index: Elasticsearch
) -> None:
    fill_months(settings, index)
    said: list[str] = []

    planned = read_retention(settings, today=TODAY, keep_months=1)
    expiry = expire_months(settings, today=TODAY, keep_months=1, say=said.append)

    assert [one.fate for one in planned] == [
        Fate.EXPIRED,
        Fate.UNFINISHED,
        Fate.YOUNG,
        Fate.NEWEST,
    ]
    assert expiry.before == tuple(planned)
    assert expiry.deleted == (f"{settings.elasticsearch.index}-2019.02",)
    assert [one.figures.unfinished for one in expiry.after] == [1, 1, 1]
    assert names(index, settings) == ["2026.09", "2026.10", "2026.11"]
    assert said == [f"{settings.elasticsearch.index}-2019.02 is deleted: 3 alerts, all closed"]


@pytest.mark.parametrize(
    "case",
    [
        {"status": "open"},
        {"status": "in_progress"},
        {"status": None},
        {"label": {"id": "1", "state": "pending", "at": "2019-02-03T04:05:06Z", "sending": ["t"]}},
    ],
)
def test_month_with_an_unfinished_case_stays_whole(
    settings: Settings, index: Elasticsearch, case: dict[str, Any]
) -> None:
    fill_months(settings, index)
    close(settings, index, 1, **case)

    expiry = expire_months(settings, today=TODAY, keep_months=1)

    assert expiry.deleted == ()
    [old, *_] = expiry.after
    assert (old.fate, old.figures.unfinished, old.figures.documents) == (Fate.UNFINISHED, 1, 3)
    assert "2019.02" in names(index, settings)


def test_case_opened_between_the_check_and_the_deletion_saves_its_month(
    settings: Settings, index: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_months(settings, index)
    block = retention.block_writes

    opened: list[str] = []

    def open_then_block(client: Elasticsearch, name: str) -> None:
        if not opened:
            close(settings, index, 1, status="open")
        opened.append(name)
        block(client, name)

    monkeypatch.setattr(retention, "block_writes", open_then_block)
    said: list[str] = []

    expiry = expire_months(settings, today=TODAY, keep_months=1, say=said.append)

    assert expiry.deleted == ()
    assert said == [
        f"{settings.elasticsearch.index}-2019.02 stays: 1 alerts are unfinished since a moment"
    ]
    close(settings, index, 1)  # it can be written to
    assert expire_months(settings, today=TODAY, keep_months=1).deleted != ()


def test_case_cannot_be_opened_once_the_deletion_is_decided(
    settings: Settings, index: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill_months(settings, index)
    counting = retention.count_documents
    refused: list[str] = []

    def count_then_edit(client: Elasticsearch, name: str, query: Any = None) -> int:
        found = counting(client, name, query)
        if (
            name.endswith("2019.02")
            and not read_inventory(client, settings.elasticsearch.index).months[0].is_writable
        ):
            with pytest.raises(TransientError):
                cases.add_note(settings, alert_id(1), text="wait", by="kim")
            refused.append(name)
        return found

    monkeypatch.setattr(retention, "count_documents", count_then_edit)

    assert len(expire_months(settings, today=TODAY, keep_months=1).deleted) == 1
    assert len(refused) == 1


def test_expiry_that_was_killed_after_closing_a_month_is_gone_on_with(
    settings: Settings, index: Elasticsearch
) -> None:
    fill_months(settings, index)
    close(settings, index, 1, status="open")
    old = f"{settings.elasticsearch.index}-2019.02"
    block_writes(index, old)

    assert expire_months(settings, today=TODAY, keep_months=1).deleted == ()
    close(settings, index, 1)  # it can be written to again
    block_writes(index, old)

    assert expire_months(settings, today=TODAY, keep_months=1).deleted == (old,)


def test_rebuilt_month_expires_as_well_and_a_late_alert_makes_it_anew(
    settings: Settings, index: Elasticsearch, change_template: Callable[..., None]
) -> None:
    fill_months(settings, index)
    change_template({"fraud.hits": {"type": "keyword"}})
    apply_index(settings, reindex=True)

    with running(settings):
        expiry = expire_months(settings, today=TODAY, keep_months=1)
        assert expiry.deleted == (f"{settings.elasticsearch.index}-r2.2019.02",)
        send(settings, make_alert(1, 2, opened_at="2019-02-03T04:05:06Z"))
        await_caught_up(settings)

    assert names(index, settings) == ["2019.02", "r2.2026.09", "r2.2026.10", "r2.2026.11"]
    assert len(documents(index, settings)) == 4
    assert read_differences(settings) == []


def test_edit_whose_month_is_deleted_meanwhile_is_refused_and_leaves_no_empty_month(
    settings: Settings, index: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Elasticsearch once made the month anew, empty, for the write that came too late."""
    fill_months(settings, index)
    find_case = cases.find_case
    expired: list[Expiry] = []

    def find_then_expire(*words: str) -> StoredAlert:
        found = find_case(settings, words[-1])
        if not expired:
            expired.append(expire_months(settings, today=TODAY, keep_months=1))
        return found

    monkeypatch.setattr(cases, "find_case", find_then_expire)

    with pytest.raises(TerminalError, match=f"no alert {alert_id(1)} in"):
        cases.add_note(settings, alert_id(1), text="wait", by="kim")

    assert expired[0].deleted == (f"{settings.elasticsearch.index}-2019.02",)
    assert names(index, settings) == ["2026.09", "2026.10", "2026.11"]


def test_month_deleted_under_a_sink_that_has_written_it_is_made_anew_from_the_template(
    settings: Settings, index: Elasticsearch, caplog: pytest.LogCaptureFixture
) -> None:
    month = f"{settings.elasticsearch.index}-2019.02"
    with running(settings):
        send(settings, make_alert(1, 1, opened_at="2019-02-03T04:05:06Z"))
        await_caught_up(settings)
        index.indices.delete(index=month)
        send(settings, make_alert(1, 2, opened_at="2019-02-03T04:05:06Z"), make_alert(2, 1))
        await_caught_up(settings)

    assert caplog.text.count("event=retry alerts=1 ") == 1
    assert names(index, settings) == ["2019.02", "2026.11"]
    assert documents(index, settings)[alert_id(1)]["fraud"]["sequence"] == 2
    assert read_differences(settings) == []
