"""The interpreter against the table of hand-computed values."""

from __future__ import annotations

from typing import Any

import pytest
from expression_cases import CASES, COLUMNS, ROWS

from pipelines.expressions.interpret import evaluate, fires
from pipelines.expressions.parsing import parse_expression


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[text for text, _ in CASES])
def test_value_of_each_row_is_the_one_worked_out_by_hand(text: str, expected: list[Any]) -> None:
    node = parse_expression(text, COLUMNS)
    found = [evaluate(node, row) for row in ROWS]
    assert found == expected
    assert [type(value) for value in found] == [type(value) for value in expected]


def test_unknown_never_fires() -> None:
    node = parse_expression("x > 2", COLUMNS)
    assert [fires(node, row) for row in ROWS] == [True, False, False, False, False, True]
