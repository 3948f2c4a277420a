from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from fraudlake.cli import app
from pipelines.errors import TransientError
from sinks.alerts import search
from sinks.alerts.alert import parse_alert
from sinks.alerts.search import StoredAlert

if TYPE_CHECKING:
    from pipelines.settings import Settings

EXAMPLE = Path(__file__).parents[2] / "sinks" / "alerts" / "alert_record.json"
SENTENCES = ("812 km in 5 min (9744 km/h, limit 900)", "first payment with this device")


@pytest.fixture
def stored() -> StoredAlert:
    value = EXAMPLE.read_bytes()
    document = {"event": {"id": "0123456789abcdef0123456789abcdef"}}
    return StoredAlert(alert=parse_alert(value), status="open", assignee=None, document=document)


@pytest.fixture(params=[80, 100])
def runner(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    monkeypatch.setenv("COLUMNS", str(request.param))
    return CliRunner()


def test_list_shows_what_an_investigator_asks_first(
    runner: CliRunner, stored: StoredAlert, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[int, str | None]] = []

    def answer(_: Settings, *, limit: int, band: str | None) -> list[StoredAlert]:
        asked.append((limit, band))
        return [stored]

    monkeypatch.setattr(search, "list_alerts", answer)

    shown = runner.invoke(app, ["alerts", "--limit", "3", "--band", "block"])

    assert shown.exit_code == 0, shown.output
    assert asked == [(3, "block")]
    for text in ("2026-11-30 23:59:58", "card-7", "0123456789", "1,250.75 EUR", "block 0.93"):
        assert text in shown.output
    for sentence in SENTENCES:
        assert sentence in shown.output


def test_one_alert_is_shown_whole(
    runner: CliRunner, stored: StoredAlert, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search, "read_alert", lambda _settings, _alert_id: stored)

    shown = runner.invoke(app, ["alerts", "show", "0123"])

    assert shown.exit_code == 0, shown.output
    for text in (
        "0123456789abcdef0123456789abcdef",
        "baseline@0a1b2c3d4e5f",
        "impossible_travel",
        "first payment with this device",
        "203.0.113.9",
        "1000.5",
        "card_count_10s",
        "assigned to nobody",
    ):
        assert text in shown.output
    assert "amount_stddev" not in shown.output  # it had no value


def test_machines_read_documents(stored: StoredAlert, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "list_alerts", lambda *_, **__: [stored])
    monkeypatch.setattr(search, "read_alert", lambda *_: stored)

    listed = CliRunner().invoke(app, ["alerts", "--json"])
    one = CliRunner().invoke(app, ["alerts", "show", "01", "--json"])

    assert json.loads(listed.output) == [stored.document]
    assert json.loads(one.output) == stored.document


def test_no_alerts_is_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "list_alerts", lambda *_, **__: [])

    assert (
        "No alerts of band review yet"
        in CliRunner().invoke(app, ["alerts", "--band", "review"]).output
    )


def test_index_that_is_away_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FRAUDLAKE_ELASTICSEARCH_URL", "http://127.0.0.1:1")

    result = CliRunner().invoke(app, ["alerts"])

    assert isinstance(result.exception, TransientError)
    assert "http://127.0.0.1:1 does not answer" in str(result.exception)
