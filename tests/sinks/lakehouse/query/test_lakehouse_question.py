"""What can be asked and what cannot: nothing that is asked changes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from decision_records import at, decision_blocks, decisions_table

from pipelines.errors import TerminalError
from pipelines.settings import Settings, StackSettings
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.query.opening import open_lake

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sinks.lakehouse.query.lake import Lake

A_SELECT = "SELECT band FROM decisions"
HOSTILE = [
    "DROP VIEW decisions",
    "COPY decisions TO 'leak.csv'",
    "CREATE VIEW v AS SELECT 1",
    "CREATE OR REPLACE VIEW decisions AS SELECT 1 AS hacked",
    "CREATE TABLE t AS PIVOT decisions ON band USING count(*)",
    "COPY (PIVOT decisions ON band USING count(*)) TO 'leak.csv'",
    "CREATE TABLE t (a INT)",
    "INSERT INTO lake.decisions SELECT * FROM decisions",
    "DELETE FROM lake.decisions",
    "UPDATE lake.decisions SET band = 'allow'",
    "ALTER VIEW decisions RENAME TO gone",
    "SET threads = 1",
    "SET VARIABLE known_at = NULL",
    "RESET threads",
    "PRAGMA enable_profiling",
    "PRAGMA memory_limit = '1MB'",
    "ATTACH 'leak.db' AS other",
    "DETACH memory",
    "USE lake",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CALL pragma_version()",
    "CHECKPOINT",
    "VACUUM",
    "BEGIN",
    "COMMIT",
    "PREPARE p AS SELECT 1",
    "EXPORT DATABASE 'leak'",
    "IMPORT DATABASE 'leak'",
    "EXPLAIN ANALYZE COPY (SELECT 1) TO 'leak.csv'",
    "/* a */ explain /* b */ analyze /* c */ copy (select 1) to 'leak.csv'",
    "EXPLAIN (ANALYZE) COPY (SELECT 1) TO 'leak.csv'",
    "EXPLAIN (ANALYZE, FORMAT json) COPY (SELECT 1) TO 'leak.csv'",
    "EXPLAIN ANALYZE CREATE OR REPLACE VIEW decisions AS SELECT 1 AS hacked",
    "EXPLAIN ANALYZE SET threads = 1",
    "EXPLAIN ANALYZE ATTACH 'leak.db' AS other",
    "EXPLAIN ANALYZE CREATE TABLE t AS PIVOT decisions ON band USING count(*)",
    "EXPLAIN ANALYZE SELECT 1; COPY (SELECT 1) TO 'leak.csv'",
    "SELECT 1; COPY (SELECT 1) TO 'leak.csv'",
    "SELECT 1) TO 'leak.csv'; --",
    "SELECT 1) TO 'leak.csv' (FORMAT csv); SELECT (1",
    "WITH gone AS (DELETE FROM lake.decisions RETURNING *) SELECT * FROM gone",
    "WITH t AS (INSERT INTO lake.decisions SELECT 1 RETURNING *) SELECT * FROM t",
    "FROM query('COPY (SELECT 1) TO ''leak.csv''')",
    "FROM force_checkpoint()",
    "FROM sqlite_scan('lakehouse/catalog.db', 'iceberg_tables')",
    "FROM read_csv('https://127.0.0.1:1/x.csv')",
    "FROM HOSTILE",
    "FROM rows",
]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("asked")


@pytest.fixture(scope="module")
def settings(home: Path) -> Settings:
    return Settings(stack=StackSettings(home=home))


@pytest.fixture(scope="module")
def lake(settings: Settings, home: Path) -> Iterator[Lake]:
    """One for all, because nothing that is asked of it may change it."""
    with open_catalog(settings) as catalog:
        blocks = decision_blocks({"band": "allow"}, {"band": "block"})
        Ledger(decisions_table(catalog)).commit(blocks, at(2))
    with open_lake(settings) as opened, pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        yield opened


def state_of(lake: Lake, folder: Path) -> tuple[object, ...]:
    """Everything that a statement could change."""
    tables = "SELECT database_name, table_name FROM duckdb_tables() ORDER BY ALL"
    settings = "SELECT name, value FROM duckdb_settings() ORDER BY name"
    return (
        lake.views(),
        [(one.view, one.name) for one in lake.list_columns()],
        lake.connection.execute(tables).fetchall(),
        lake.connection.execute(settings).fetchall(),
        lake.connection.execute("SELECT getvariable('known_at')").fetchall(),
        lake.ask(f"{A_SELECT} ORDER BY 1", limit=9).rows,
        sorted(path.name for path in folder.iterdir()),
    )


@pytest.mark.parametrize("statement", HOSTILE)
def test_what_is_no_question_is_refused_and_changes_nothing(
    lake: Lake, home: Path, statement: str
) -> None:
    rows = [("a variable of Python", 1)]  # what a replacement scan would find
    before = state_of(lake, home)

    for answer in (
        lambda: lake.ask(statement, limit=9),
        lambda: lake.explain(statement),
        lambda: lake.write(statement, path="answer.csv", options="FORMAT csv"),
    ):
        with pytest.raises(TerminalError):
            answer()

    assert state_of(lake, home) == before
    assert rows


def test_the_engine_itself_writes_nothing_whatever_is_run_as_a_question(lake: Lake) -> None:
    """DuckDB calls a SELECT what has an INSERT in it."""
    lake.connection.execute("CREATE OR REPLACE TABLE t (a INT)")

    with pytest.raises(TerminalError, match="read-only"):
        lake.ask("WITH new AS (INSERT INTO t SELECT 1 RETURNING a) FROM new", limit=1)

    assert lake.ask("SELECT count(*) FROM t", limit=1).rows == [(0,)]
    lake.connection.execute("DROP TABLE t")


@pytest.mark.parametrize(
    ("question", "rows"),
    [
        ("PIVOT (SELECT band FROM decisions) ON band USING count(*)", [(1, 1)]),
        ("FROM (PIVOT (SELECT band FROM decisions) ON band USING count(*))", [(1, 1)]),
        ("PIVOT (SELECT band FROM decisions) ON band IN ('block') USING count(*)", [(1,)]),
        ("(SELECT 1);", [(1,)]),
        ("SELECT 1; -- said", [(1,)]),
        ("FROM decisions SELECT count(*)", [(2,)]),
        ("VALUES (1), (2)", [(1,), (2,)]),
        ("WITH a AS (SELECT 1 AS x) SELECT x FROM a", [(1,)]),
        ("SELECT 'explain analyze copy; drop'", [("explain analyze copy; drop",)]),
    ],
)
def test_every_form_of_a_question_is_answered(
    lake: Lake, question: str, rows: list[tuple[object, ...]]
) -> None:
    assert lake.ask(question, limit=9).rows == rows


@pytest.mark.parametrize(
    "question",
    [
        f"EXPLAIN {A_SELECT}",
        f"explain analyze {A_SELECT};",
        f"EXPLAIN (FORMAT json) {A_SELECT}",
        "EXPLAIN PIVOT decisions ON band USING count(*)",
    ],
)
def test_explain_is_shown_but_is_no_answer_to_write(lake: Lake, question: str) -> None:
    assert "band" in str(lake.ask(question, limit=9).rows)
    assert "Total Time" in lake.explain(question)
    with pytest.raises(TerminalError, match="EXPLAIN has no rows to write"):
        lake.write(question, path="x.csv", options="FORMAT csv")


def test_files_of_the_user_can_be_joined_and_extensions_are_not_loaded(
    lake: Lake, home: Path
) -> None:
    (home / "suspects.csv").write_text("band,name\nblock,Bo\n")
    question = "SELECT name FROM decisions JOIN read_csv('suspects.csv') USING (band)"

    assert lake.ask(question, limit=9).rows == [("Bo",)]
    with pytest.raises(TerminalError, match=r"to be loaded; questions load no extensions$"):
        lake.ask("FROM read_csv('https://127.0.0.1:1/x.csv')", limit=1)


def test_what_does_not_fit_in_memory_goes_to_the_home_of_the_stack_and_is_cleared(
    settings: Settings, lake: Lake, home: Path
) -> None:
    question = "SELECT name, value FROM duckdb_settings() WHERE name LIKE $name"
    (spill,) = lake.ask(question, {"name": "temp_directory"}, limit=1).rows
    (memory,) = lake.ask(question, {"name": "memory_limit"}, limit=1).rows

    assert str(spill[1]).startswith(f"{home}/sql-")
    assert memory[1] == "1.9 GiB"  # 2048 MB
    with open_lake(settings):
        pass
    assert len(list(home.glob("sql-*"))) == 1
