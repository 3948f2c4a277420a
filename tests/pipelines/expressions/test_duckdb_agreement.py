"""The DuckDB form of expressions: against the hand-computed table, and against the interpreter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import duckdb
import pytest
from expression_cases import (
    CASES,
    COLUMNS,
    ROWS,
    SENTENCES,
    make_condition,
    make_number,
    make_row,
    sentence_row,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.expressions.folding import fold
from pipelines.expressions.interpret import evaluate
from pipelines.expressions.parsing import parse_expression
from pipelines.expressions.rendering import render, render_condition
from pipelines.rules.sentences import parse_sentence, render_sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DDL = 'CREATE OR REPLACE TABLE data (n INTEGER, "x" DOUBLE, "y" DOUBLE, "a" VARCHAR, "b" VARCHAR)'


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("SET threads = 1")
        yield connection


def ask(
    connection: duckdb.DuckDBPyConnection, expression: str, rows: Sequence[dict[str, Any]]
) -> list[Any]:
    connection.execute(DDL)
    values = [(n, row["x"], row["y"], row["a"], row["b"]) for n, row in enumerate(rows)]
    connection.executemany("INSERT INTO data VALUES (?, ?, ?, ?, ?)", values)
    found = connection.execute(f"SELECT {expression} FROM data ORDER BY n").fetchall()
    return [value for (value,) in found]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text for text, _ in CASES])
def test_value_of_each_row_is_the_one_worked_out_by_hand(
    connection: duckdb.DuckDBPyConnection, text: str, expected: list[Any]
) -> None:
    found = ask(connection, render(parse_expression(text, COLUMNS), "duckdb"), ROWS)
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


def test_condition_is_never_null(connection: duckdb.DuckDBPyConnection) -> None:
    condition = render_condition(parse_expression("x > 2", COLUMNS), "duckdb")
    assert ask(connection, condition, ROWS) == [True, False, False, False, False, True]


@pytest.mark.parametrize(("text", "given_values", "expected"), SENTENCES)
def test_sentence_shows_the_numbers_as_people_round_them(
    connection: duckdb.DuckDBPyConnection, text: str, given_values: dict[str, Any], expected: str
) -> None:
    sentence = render_sentence(parse_sentence(text, COLUMNS), "duckdb")
    assert ask(connection, sentence, [sentence_row(given_values)]) == [expected]


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_random_expressions_agree_with_the_interpreter(data: st.DataObject) -> None:
    def choose(items: Sequence[Any]) -> Any:
        return data.draw(st.sampled_from(items))

    node = choose([make_number, make_condition])(choose, 3)
    rows = [make_row(choose) for _ in range(4)]
    expected = [evaluate(node, row) for row in rows]
    with duckdb.connect() as connection:
        assert ask(connection, render(node, "duckdb"), rows) == expected
        assert ask(connection, render(fold(node), "duckdb"), rows) == expected
