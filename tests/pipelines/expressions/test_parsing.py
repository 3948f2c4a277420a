"""What an expression may be, and what is said of one that is wrong."""

from __future__ import annotations

import pytest
from expression_cases import COLUMNS

from pipelines.expressions.faults import ExpressionFault
from pipelines.expressions.parsing import (
    DEEPEST,
    parse_condition,
    parse_expression,
    parse_number,
)

ALLOWED = (
    "allowed: and, or, not, comparisons, + - * /, in (...), between, is [not] null, case when, "
    "coalesce, abs, least, greatest"
)

FAULTS = [
    ("", "must be one expression"),
    ("x > 1; drop table t", "must be one expression"),
    ("x > 1 and", "does not parse near 'and'"),
    ("z > 1", "unknown column z"),
    ("x > 1 and t.x > 2", "unknown column t.x - did you mean x?"),
    ("z > 1 or w > 2 or z > 3", "unknown column z; unknown column w"),
    ('a = "pos"', """unknown column "pos" - write a text in single quotes: 'pos'"""),
    ("a > 5", "a > 5 compares a text with a number"),
    ("x = 'pos'", "x = 'pos' compares a number with a text"),
    ("(x > 1) = true", "(x > 1) = TRUE compares a condition with a condition"),
    ("x in (1, 'a')", "x IN (1, 'a') compares a number with a text"),
    ("a in (1)", "a IN (1) compares a number with a text"),
    ("x in (1, null)", "in (...) takes a list of numbers or texts, without null"),
    ("x in (select 1)", "in (...) takes a list of numbers or texts, without null"),
    ("x in (y)", "in (...) takes a list of numbers or texts, without null"),
    ("a < b", "a < b orders texts, which is allowed only against a text of plain ASCII such as"),
    ("a between 'a' and 'é'", "a <= 'é' orders texts"),
    ("x and y > 1", "x is a number, not a condition"),
    ("a + 1 > 2", "a is a text, not a number"),
    ("abs(a) > 1", "a is a text, not a number"),
    ("not a", "a is a text, not a condition"),
    ("coalesce(x, 'none') > 1", "coalesce mixes number and text"),
    ("case when x > 1 then 1 else 'b' end > 1", "case mixes number and text"),
    ("case x when 1 then 2 end > 1", "write case when CONDITION then VALUE"),
    ("x between symmetric 5 and 1", "between symmetric is not allowed; write the smaller bound"),
    ("(x > 1) is true", "is not allowed: after is comes null or not null"),
    ("x > 1e400", "number 1e400 is out of range; allowed: 0, and 1e-15 to 1e15"),
    ("x > 1e-16", "number 1e-16 is out of range"),
    ("x > 1e15 * 1e15", "works out to 1e+30, which is out of range"),
    ("a = 'tab\tulator'", "has a control character in it"),
    ("sqrt(x) > 1", f"function sqrt is not allowed; {ALLOWED}"),
    ("my_function(x) > 1", f"function my_function is not allowed; {ALLOWED}"),
    ("count(x) > 1", "function count is not allowed"),
    ("cast(x as int) > 1", "function cast is not allowed"),
    ("x::int > 1", "function cast is not allowed"),
    ("a like 'p%'", "\"a LIKE 'p%'\" is not allowed"),
    ("a || 'b' = 'cb'", "\"a || 'b'\" is not allowed"),
    ("x % 2 = 1", "'x % 2' is not allowed"),
    ("exists (select 1)", "is not allowed"),
    ("select 1", "'SELECT 1' is not allowed"),
    ("x > $1", "is not allowed"),
    ("x", "is a number, not a condition; compare it with something"),
    ("null", "is always null, not a condition"),
    (" and ".join(["x > 1"] * (DEEPEST + 1)), "is more than 100 levels deep"),
    ("(" * 2000 + "x > 1" + ")" * 2000, "is more than 100 levels deep"),
]


@pytest.mark.parametrize(("text", "message"), FAULTS, ids=[text[:40] for text, _ in FAULTS])
def test_faulty_condition_is_refused_with_a_sentence(text: str, message: str) -> None:
    with pytest.raises(ExpressionFault) as caught:
        parse_condition(text, COLUMNS)
    assert message in str(caught.value)


def test_number_is_asked_for_where_one_is_needed() -> None:
    with pytest.raises(ExpressionFault, match="is a condition, not a number"):
        parse_number("x > 1", COLUMNS)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x > 1", "X>1.0"),
        ("x > 1", "( x ) > 1 -- a note"),
        ("x > 1 and y > 1", "x > 1 AND\n  (y > 1)"),
        ("x between 1 and 2", "x >= 1 and x <= 2"),
        ("x > 1000 / (24 * 30)", "x > 1000 / 720"),
        ("x <> 1", "x != 1"),
        ("x not in (1)", "not (x in (1))"),
    ],
)
def test_layout_and_spelling_do_not_change_what_is_meant(one: str, other: str) -> None:
    assert parse_expression(one, COLUMNS) == parse_expression(other, COLUMNS)


@pytest.mark.parametrize(
    ("one", "other"),
    [("x > 1", "x >= 1"), ("x > 1", "y > 1"), ("a = 'p'", "a = 'P'"), ("x - y > 1", "y - x > 1")],
)
def test_another_meaning_is_another_tree(one: str, other: str) -> None:
    assert parse_expression(one, COLUMNS) != parse_expression(other, COLUMNS)
