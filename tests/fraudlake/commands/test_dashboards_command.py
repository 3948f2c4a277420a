from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from kibana_stub import running_stub
from rich.console import Console
from typer.testing import CliRunner

from fraudlake.cli import app
from fraudlake.dashboard_view import ShownPanel, render_panel
from pipelines.errors import TerminalError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from kibana_stub import KibanaStub


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[KibanaStub]:
    monkeypatch.chdir(tmp_path)
    with running_stub() as running:
        monkeypatch.setenv("FRAUDLAKE_KIBANA_URL", running.url)
        yield running


def run(*words: str) -> tuple[int, str]:
    ended = CliRunner().invoke(app, ["dashboards", *words])
    return ended.exit_code, ended.stdout


def test_list_names_everything_and_asks_nobody(stub: KibanaStub) -> None:
    code, text = run("list", "--json")

    assert code == 0
    assert [one["kind"] for one in json.loads(text)] == [
        *["data view"] * 2,
        *["dashboard"] * 4,
        *["rule"] * 4,
    ]
    assert stub.asked == []
    assert "fraudlake-operations" in run("list")[1]


def test_diff_ends_with_1_until_everything_is_applied(stub: KibanaStub) -> None:
    code, text = run("diff")
    assert (code, text.count("missing")) == (1, 10)

    code, text = run("apply")
    assert (code, text.count("created")) == (0, 10)
    assert run("diff")[0] == 0
    code, text = run("apply", "--json")
    assert (code, {one["change"] for one in json.loads(text)}) == (0, {"unchanged"})

    stub.stored["dashboards/fraudlake-queue"]["title"] = "[b]Mine[/b]"
    code, text = run("diff", "--json")
    assert code == 1
    assert [one["differences"] for one in json.loads(text) if one["differences"]] == [
        ["title is '[b]Mine[/b]', not 'Fraud: queue'"]
    ]
    assert "title is '[b]Mine[/b]', not 'Fraud: queue'" in run("diff")[1]


def test_files_are_written_where_one_says(stub: KibanaStub, tmp_path: Path) -> None:
    code, text = run("write", str(tmp_path / "out"))

    assert code == 0
    assert len(text.split()) == len(list((tmp_path / "out").glob("*.json"))) == 10
    assert stub.asked == []


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("rule", "there is no dashboard rule - did you mean rules?"),
        ("nope", "there is no dashboard nope (known: card, operations, queue, rules)"),
    ],
)
def test_unknown_dashboard_is_answered_with_the_one_meant_or_with_those_there_are(
    name: str, sentence: str
) -> None:
    ended = CliRunner().invoke(app, ["dashboards", "show", name])

    assert isinstance(ended.exception, TerminalError)
    assert str(ended.exception) == sentence


def test_list_of_alerts_says_how_many_there_are_and_shows_places() -> None:
    panel = ShownPanel(
        id="d",
        title="Alerts",
        headings=("fraud.score", "fraud.because", "fraud.travel.to", "case.verdict"),
        rows=((0.93, ["first", "second"], {"lon": 2.3522, "lat": 48.8566}, None),),
        total=1234,
    )
    console = Console(width=120)
    with console.capture() as captured:
        console.print(render_panel(panel))
    text = captured.get()
    assert "Alerts (1 of 1,234)" in text
    assert "0.93" in text
    assert "first; second" in text
    assert "48.8566, 2.3522" in text
