"""The prompt of ``fraudlake sql``, typed at as a person does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from fraudlake.lake_tables import apply_tables
from fraudlake.sql.completion import SqlCompleter
from fraudlake.sql.prompt import ask_until_quit
from pipelines.settings import Settings
from sinks.lakehouse.lake import ListedColumn

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[str], str]:
    """What is shown for what is typed, over empty tables."""
    monkeypatch.setenv("FRAUDLAKE_STACK_HOME", str(tmp_path))
    settings = Settings.from_env()
    apply_tables(settings, ruleset="speed")

    def run(text: str) -> str:
        with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
            pipe.send_text(text)
            session: PromptSession[str] = PromptSession()
            ask_until_quit(settings, as_of=None, known_at=None, session=session)
        return capsys.readouterr().out

    return run


def test_a_question_is_answered_when_its_semicolon_comes(typed: Callable[[str], str]) -> None:
    said = typed("select 40 +\r2 as answer;\r.quit\r")

    assert "answer" in said
    assert "42" in said
    assert "1 rows, 0." in said


def test_a_mistake_is_a_sentence_and_the_prompt_goes_on(typed: Callable[[str], str]) -> None:
    said = typed("from decision;\r.tabels\r.columns decision\r.run label_dela\r.tables\r\x04")

    assert "Table with name decision does not exist. Did you mean decisions?" in said
    assert "there is no command .tabels - did you mean .tables?" in said
    assert "there is no view decision - did you mean decisions?" in said
    assert "no ready question label_dela - did you mean label_delay?" in said
    assert said.rstrip().endswith("rule_fires")


def test_commands_teach_and_show(typed: Callable[[str], str]) -> None:
    said = typed(
        ".help\r.columns labels\r.questions\r.run label_delay days=3\r.explain from labels;\r"
        ".refresh\r.exit\r"
    )

    assert "A question ends with a semicolon" in said
    assert "fraud or genuine." in said
    assert "top_merchants" in said
    assert "0 rows" in said
    assert "Total Time" in said


def test_what_was_typed_is_remembered_in_the_home_of_the_stack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAUDLAKE_STACK_HOME", str(tmp_path))
    settings = Settings.from_env()
    apply_tables(settings, ruleset="speed")
    with create_pipe_input() as pipe, create_app_session(input=pipe, output=DummyOutput()):
        pipe.send_text("select 1;\r.quit\r")
        ask_until_quit(settings, as_of=None, known_at=None)

    assert "+select 1;" in (tmp_path / "sql_history").read_text()


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("select * from dec", ["decisions"]),
        ("select features.tra", ["features.travel_kmh"]),
        ("SEL", ["select"]),
        ("select ", []),
        (".ru", [".run"]),
        (".run top", ["top_merchants"]),
        (".columns dec", ["decisions"]),
        (".quit x", []),
    ],
)
def test_names_and_words_are_completed(line: str, offered: list[str]) -> None:
    columns = [
        ListedColumn(view="decisions", name="features.travel_kmh", type="DOUBLE", about=""),
        ListedColumn(view="labels", name="label", type="VARCHAR", about=""),
    ]
    completer = SqlCompleter(columns, ["top_merchants"], [".run", ".columns", ".quit"])

    found = completer.get_completions(Document(line), None)  # type: ignore[arg-type]

    assert [one.text for one in found] == offered
