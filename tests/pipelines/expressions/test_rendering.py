"""The two dialects as text: quoting, literals, and where they have to differ."""

from __future__ import annotations

import pytest
from expression_cases import COLUMNS

from pipelines.expressions import tree
from pipelines.expressions.parsing import parse_condition, parse_expression
from pipelines.expressions.rendering import quote_name, quote_text, render, render_condition


def test_one_condition_in_both_dialects() -> None:
    node = parse_condition("x / y > 200 and a in ('pos', 'it''s') and b is not null", COLUMNS)
    assert render_condition(node, "flink") == (
        "COALESCE(((((`x` / NULLIF(`y`, 0e0)) > 200.0e0) AND (`a` IN ('pos', 'it''s'))) "
        "AND (NOT (`b` IS NULL))), FALSE)"
    )
    assert render_condition(node, "duckdb") == render_condition(node, "flink").replace("`", '"')


def test_least_is_null_with_a_null_in_both_dialects() -> None:
    node = parse_expression("least(x, y)", COLUMNS)
    assert render(node, "flink") == "LEAST(`x`, `y`)"
    assert render(node, "duckdb") == (
        '(CASE WHEN "x" IS NULL OR "y" IS NULL THEN CAST(NULL AS DOUBLE) ELSE LEAST("x", "y") END)'
    )


def test_division_by_a_number_needs_no_guard() -> None:
    assert render(parse_expression("x / 2", COLUMNS), "flink") == "(`x` / 2.0e0)"


def test_condition_that_is_null_is_no() -> None:
    assert render_condition(tree.Null(), "flink") == "COALESCE(CAST(NULL AS BOOLEAN), FALSE)"


def test_names_and_texts_cannot_break_out_of_their_quotes() -> None:
    assert quote_name("a`b", "flink") == "`a``b`"
    assert quote_name('a"b', "duckdb") == '"a""b"'
    assert quote_text("'; --") == "'''; --'"


@pytest.mark.parametrize(
    ("value", "text"), [(200.0, "200.0e0"), (1e-7, "1e-07"), (1e15, "1000000000000000.0e0")]
)
def test_numbers_are_double_literals(value: float, text: str) -> None:
    assert render(tree.Number(value), "flink") == text
