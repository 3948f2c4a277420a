"""``fraudlake sql``: answers in every format, files, and mistakes as one sentence."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import duckdb
import pytest
from typer.testing import CliRunner, Result

from fraudlake.cli import app
from pipelines.errors import FraudlakeError, SinkError
from pipelines.settings import LakehouseSettings, Settings, StackSettings
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.ingest.records import Records
from sinks.lakehouse.ingest.rows import decode_rows
from sinks.lakehouse.position import Position
from sinks.lakehouse.schema import create_table
from sinks.lakehouse.tables import LABELS, TABLES

if TYPE_CHECKING:
    from pathlib import Path

Run = Callable[..., Result]
VIEWS = {
    "alerts_by_day",
    "dead_letters",
    "decisions",
    "decisions_labelled",
    "labels",
    "meta.files",
    "meta.manifests",
    "meta.positions",
    "meta.snapshots",
    "rule_fires",
    "rules",
    "rulesets",
}
LABEL = (
    '{"transaction_id":"t%d","card_id":"c1","merchant_id":"m [1]","event_time":'
    '"2026-03-01T12:00:00Z","label":"fraud","source":"chargeback",'
    '"label_time":"2026-03-04T00:00:00Z"}'
)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """``fraudlake`` in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRAUDLAKE_STACK_HOME", str(tmp_path))
    runner = CliRunner()
    return lambda *words: runner.invoke(app, list(words))


@pytest.fixture
def three_labels(tmp_path: Path) -> None:
    settings = dataclasses.replace(Settings(), stack=StackSettings(home=tmp_path))
    records = Records()
    for at in range(3):
        records.add(value=(LABEL % at).encode(), partition=0, offset=at, time_ms=0)
    position = Position(
        cluster_id="c", topic_id="t", topic="labels", next_offsets={0: 3}, dead_letters=0
    )
    with open_catalog(settings) as catalog:
        for table in TABLES:
            create_table(catalog, LakehouseSettings(), table)
        ledger = Ledger(create_table(catalog, LakehouseSettings(), LABELS))
        ledger.commit(decode_rows(LABELS, records).rows, position)


def test_without_a_question_it_teaches(run: Run) -> None:
    result = run("sql")

    assert result.exit_code == 0
    assert "select band, count(*) from decisions" in result.output


def test_before_there_are_tables_it_says_so(run: Run, tmp_path: Path) -> None:
    result = run("sql", "select 1")

    assert isinstance(result.exception, SinkError)
    assert "no tables in namespace fraud yet" in str(result.exception)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("three_labels")
def test_an_answer_is_a_table_csv_json_or_parquet(run: Run, tmp_path: Path) -> None:
    question = "select transaction_id, merchant_id, 0.25 as cents from labels order by 1"

    table = run("sql", question, "--rows", "2")
    as_csv = run("sql", question, "--format", "csv")
    as_json = run("sql", question, "--format", "json")
    parquet = run("sql", question, "--format", "parquet", "-o", "answer.parquet")

    assert "m [1]" in table.output
    assert ("t1" in table.output, "t2" in table.output) == (True, False)
    assert "the first 2 rows" in table.stderr
    rows = [(f"t{at}", "m [1]", "0.25") for at in range(3)]
    assert list(csv.reader(io.StringIO(as_csv.output)))[1:] == [list(row) for row in rows]
    assert json.loads(as_json.output, parse_float=str) == [
        {"transaction_id": a, "merchant_id": b, "cents": c} for a, b, c in rows
    ]
    assert parquet.exit_code == 0
    with duckdb.connect() as connection:
        (count,) = connection.execute("select count(*) from 'answer.parquet'").fetchone() or (0,)
    assert count == 3


@pytest.mark.usefixtures("three_labels")
def test_a_wide_row_is_a_block_of_names_and_values(run: Run) -> None:
    result = run("sql", "select * from labels limit 1")

    assert "row 1" in result.output
    assert "merchant_id" in result.output
    assert "2026-03-04 00:00:00.000" in result.output


@pytest.mark.usefixtures("three_labels")
def test_a_question_may_stand_in_a_file(run: Run, tmp_path: Path) -> None:
    (tmp_path / "q.sql").write_text("select count(*) as n from labels -- all of them\n;\n")

    assert json.loads(run("sql", "--file", "q.sql", "--format", "json").output) == [{"n": 3}]
    assert run("sql", "select 1", "--file", "q.sql").exit_code == 2


@pytest.mark.usefixtures("three_labels")
def test_the_past_is_chosen_by_time_and_a_wrong_time_is_a_usage_error(run: Run) -> None:
    question = ("sql", "select count(*) as n from labels", "--format", "json", "--as-of")

    assert json.loads(run(*question, "2020-01-01").output) == [{"n": 0}]
    assert json.loads(run(*question, "2999-01-01T00:00").output) == [{"n": 3}]
    assert run(*question, "yesterday").exit_code == 2


@pytest.mark.usefixtures("three_labels")
def test_views_and_columns_are_listed(run: Run) -> None:
    listed = json.loads(run("sql", "--columns", "--format", "json").output)

    assert {one["view"] for one in listed} == VIEWS
    assert "fraud or genuine." in run("sql", "--columns").output.replace("\n", " ")


def test_ready_questions_are_listed_with_what_they_take(run: Run) -> None:
    listed = {
        one["name"]: one for one in json.loads(run("sql", "--list", "--format", "json").output)
    }

    assert len(listed) == 16
    assert listed["label_delay"]["purpose"].startswith("How long after a transaction its label")
    (days,) = listed["label_delay"]["parameters"]
    assert (days["name"], days["type"], days["default"]) == ("days", "integer", "365")
    assert "card (must be given)  The card's token." in run("sql", "--list").output


@pytest.mark.usefixtures("three_labels")
def test_a_ready_question_is_asked_with_what_is_set(run: Run) -> None:
    (row,) = json.loads(
        run("sql", "--run", "label_delay", "--set", "days=1", "--format", "json").output
    )

    assert (row["source"], row["labels"], row["p50_days"]) == (
        "chargeback",
        3,
        2.5,
    )  # from noon to midnight
    assert "$days" in run("sql", "--run", "label_delay", "--show").output


@pytest.mark.usefixtures("three_labels")
@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--run", "label_dela"), "no ready question label_dela - did you mean label_delay?"),
        (("--run", "label_delay", "--set", "day=1"), "takes no day - did you mean days?"),
        (("--run", "label_delay", "--set", "days=x"), "days=x: must be a whole number"),
        (
            ("--run", "label_delay", "--set", "days=99999999999"),
            "days=99999999999: must be a whole number from 0 to 100000",
        ),
        (("--run", "top_merchants", "--set", "limit=-1"), "limit=-1: must be a whole number from"),
        (("--run", "noisy_rules", "--set", "precision=nan"), "precision=nan: must be a number"),
        (("--run", "card_timeline"), "card_timeline needs card: --set card=..."),
    ],
)
def test_a_ready_question_that_is_asked_wrongly_is_explained(
    run: Run, words: tuple[str, ...], sentence: str
) -> None:
    assert sentence in str(run("sql", *words).exception)


@pytest.mark.usefixtures("three_labels")
@pytest.mark.parametrize(
    "words",
    [
        ("--set", "days=1", "select 1"),
        ("--run", "label_delay", "--set", "days"),
        ("x", "--run", "y"),
        ("select 1", "--show"),
        ("--run", "label_delay", "--show", "--set", "days=1"),
        ("--run", "label_delay", "--show", "--as-of", "2026-03-01"),
        ("select 1", "--format", "csv", "--rows", "3"),
        ("select 1", "--explain", "--format", "json"),
        ("select 1", "--explain", "--rows", "3"),
        ("select 1", "--explain", "-o", "x"),
        ("select 1", "--list"),
        ("--list", "--known-at", "2026-03-01"),
        ("--list", "--columns"),
        ("--list", "--format", "csv"),
        ("--columns", "--format", "parquet"),
        ("--columns", "--known-at", "2026-03-01"),
        ("--columns", "--rows", "3"),
        ("select 1", "--format", "table", "-o", "x"),
    ],
)
def test_options_that_do_not_go_together_are_usage_errors(run: Run, words: tuple[str, ...]) -> None:
    """Those that meant nothing were ignored without a word."""
    result = run("sql", *words)

    assert result.exit_code == 2
    assert "Error" in result.stderr


@pytest.mark.usefixtures("three_labels")
def test_an_option_that_would_be_ignored_is_named(run: Run) -> None:
    said = " ".join(run("sql", "select 1", "--format", "csv", "--rows", "3").stderr.split())

    assert "--rows means nothing with --format csv: leave it out" in said


def test_the_sql_of_a_ready_question_is_shown_without_what_it_takes(run: Run) -> None:
    """It was asked for a card first; there need not even be tables."""
    shown = run("sql", "--run", "card_timeline", "--show")

    assert shown.exit_code == 0
    assert "WHERE card_id = $card" in shown.output


@pytest.mark.usefixtures("three_labels", "run")
def test_a_question_may_come_from_standard_input() -> None:
    result = CliRunner().invoke(app, ["sql", "--format", "json"], input="select 1 as one;\n")

    assert json.loads(result.output) == [{"one": 1}]


@pytest.mark.usefixtures("three_labels")
def test_how_a_question_is_answered_is_shown_with_the_files_of_each_table(run: Run) -> None:
    said = run("sql", "--explain", "select count(*) from labels").output

    assert "labels: 1 files" in said
    assert "decisions: 0 files" in said
    assert "Total Time" in said
    assert "Total Time" in run("sql", "--explain", "explain select count(*) from labels").output
    written = run("sql", "explain select 1", "--format", "csv")
    assert str(written.exception) == "EXPLAIN has no rows to write: show it as a table"


@pytest.mark.usefixtures("three_labels")
def test_the_largest_number_of_days_still_has_a_date(run: Run) -> None:
    asked = run("sql", "--run", "label_delay", "--set", "days=100000", "--format", "json")

    assert [row["labels"] for row in json.loads(asked.output)] == [3]


@pytest.mark.usefixtures("three_labels")
def test_mistakes_are_sentences(run: Run) -> None:
    wrong = run("sql", "select lable from labels")

    assert isinstance(wrong.exception, FraudlakeError)
    assert 'Candidate bindings: "label"' in str(wrong.exception)
    assert run("sql", "select 1", "--format", "parquet").exit_code == 2
    assert run("sql", "select 1", "-o", "x").exit_code == 2
