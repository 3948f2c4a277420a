"""The prompt of ``fraudlake sql``, typed at as a person does."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from decision_records import at, decision_blocks, decisions_table
from prompt_toolkit import PromptSession
from prompt_toolkit.application import create_app_session
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

from fraudlake.job.lake_tables import apply_tables
from fraudlake.sql.completion import SqlCompleter
from fraudlake.sql.prompt import Prompt, ask_until_quit
from pipelines.settings import Settings
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.query.lake import ListedColumn
from sinks.lakehouse.query.opening import open_lake
from sinks.lakehouse.upkeep.compaction import plan_compaction, rewrite_files
from sinks.lakehouse.upkeep.expiry import expire_snapshots

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
    assert said.rstrip().endswith(
        "rule_fires\nrules\nrulesets\nmeta.files\nmeta.manifests\nmeta.positions\nmeta.snapshots"
    )


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


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (".run", "name a ready question: .run NAME days=7"),
        ("select '[/]'::int;", "Could not convert string '[/]' to INT32"),
        (".columns nope[/]", "there is no view nope[/]"),
        ("select sqrt([1]);", "'sqrt(INTEGER[])'"),
        ("select error('[red]:fire:[/red]');", "[red]:fire:[/red]"),
        (".run [/]", "there is no ready question [/]"),
        (".[/]", "there is no command .[/]"),
        (".explain", "there are 0 statements"),
        (".columns", "there is no view"),
        (".run label_delay days", "days=: must be a whole number"),
    ],
)
def test_no_line_ends_the_prompt_and_what_was_typed_is_shown_as_it_is(
    typed: Callable[[str], str], line: str, sentence: str
) -> None:
    """Markup in a question or an error, and a command alone, ended the session by a traceback."""
    said = typed(f"{line}\rselect 6 * 7 as answer;\r.quit\r")

    assert sentence in said
    assert "42" in said


def test_a_session_whose_files_upkeep_replaced_looks_anew_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It said that there were no files of some long name; metadata ended in a traceback."""
    monkeypatch.setenv("FRAUDLAKE_STACK_HOME", str(tmp_path))
    settings = Settings.from_env()

    def commit(offset: int) -> None:
        with open_catalog(settings) as catalog:
            ledger = Ledger(decisions_table(catalog))
            ledger.commit(decision_blocks({}, offset=offset), at(offset + 1))

    def keep_up() -> None:
        with open_catalog(settings) as catalog:
            table = decisions_table(catalog)
            far = datetime(2200, 1, 1, tzinfo=UTC)
            for one in plan_compaction(table, target_bytes=10**8, closed_before=far):
                rewrite_files(table, one, target_bytes=10**8)
        commit(2)
        with open_catalog(settings) as catalog:
            expire_snapshots(decisions_table(catalog), keep=1, keep_hours=0)

    for offset in range(2):
        commit(offset)
    with ExitStack() as opened:
        prompt = Prompt(lambda: opened.enter_context(open_lake(settings)))
        prompt.answer("select count(*), sum(amount) from decisions;")
        keep_up()
        prompt.answer("select count(*) as n, sum(amount) as money from decisions;")
        prompt.answer("select sum(rows) as stored from meta.files;")
    said = capsys.readouterr().out

    assert said.count("upkeep has replaced the files: looking anew") == 1
    assert "36.9000" in said


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
        ("select * from meta.f", ["meta.files"]),
        (".columns meta", ["meta.files"]),
    ],
)
def test_names_and_words_are_completed(line: str, offered: list[str]) -> None:
    columns = [
        ListedColumn(view="decisions", name="features.travel_kmh", type="DOUBLE", about=""),
        ListedColumn(view="labels", name="label", type="VARCHAR", about=""),
        ListedColumn(view="meta.files", name="rows", type="BIGINT", about=""),
    ]
    completer = SqlCompleter(columns, ["top_merchants"], [".run", ".columns", ".quit"])

    found = completer.get_completions(Document(line), None)  # type: ignore[arg-type]

    assert [one.text for one in found] == offered
