"""Constants are worked out beforehand, and nothing else is touched."""

from __future__ import annotations

from typing import Any

import pytest
from expression_cases import COLUMNS, make_condition, make_number, make_row
from hypothesis import given
from hypothesis import strategies as st

from pipelines.expressions.folding import fold
from pipelines.expressions.interpret import evaluate
from pipelines.expressions.parsing import parse_expression
from pipelines.expressions.rendering import render


@pytest.mark.parametrize(
    ("text", "sql"),
    [
        ("2 * 100 + 1", "201.0e0"),
        ("1 / 0", "CAST(NULL AS DOUBLE)"),
        ("x > 24 * 30", '("x" > 720.0e0)'),
        ("x + null", "CAST(NULL AS DOUBLE)"),
        ("x > 1 and true", '("x" > 1.0e0)'),
        ("x > 1 or false", '("x" > 1.0e0)'),
        ("x > 1 and false", "FALSE"),
        ("x > 1 or 1 = 1", "TRUE"),
        ("coalesce(null, x, 5, y)", 'COALESCE("x", 5.0e0)'),
        ("coalesce(5, x)", "5.0e0"),
        ("coalesce(x)", '"x"'),
        ("case when 1 > 2 then x else y end", '"y"'),
        (
            "case when x > 1 then 1 when true then 2 else 3 end",
            '(CASE WHEN ("x" > 1.0e0) THEN 1.0e0 ELSE 2.0e0 END)',
        ),
        (
            "case when null then 1 when x > 1 then 2 end",
            '(CASE WHEN ("x" > 1.0e0) THEN 2.0e0 ELSE CAST(NULL AS DOUBLE) END)',
        ),
        ("x * 1", '("x" * 1.0e0)'),
    ],
)
def test_constant_parts_become_single_values(text: str, sql: str) -> None:
    assert render(parse_expression(text, COLUMNS), "duckdb") == sql


@given(data=st.data())
def test_folding_never_changes_a_value(data: st.DataObject) -> None:
    def choose(items: Any) -> Any:
        return data.draw(st.sampled_from(items))

    node = choose([make_number, make_condition])(choose, 3)
    row = make_row(choose)
    assert evaluate(fold(node), row) == evaluate(node, row)
