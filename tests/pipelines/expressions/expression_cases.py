"""One table of expressions and rows with their values, worked out by hand, for every engine.

Rows are below; an expectation has one value for each of them. None is NULL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipelines.columns import Column
from pipelines.expressions import tree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pipelines.expressions.tree import Node

T, F, N = True, False, None

COLUMNS = {
    "x": Column(name="x", type="number", about=""),
    "y": Column(name="y", type="number", about=""),
    "a": Column(name="a", type="text", about=""),
    "b": Column(name="b", type="text", about=""),
}
ROWS: list[dict[str, Any]] = [
    {"x": 3.0, "y": 2.0, "a": "pos", "b": "DE"},
    {"x": 0.0, "y": 0.0, "a": "", "b": None},
    {"x": None, "y": 5.0, "a": None, "b": "é"},
    {"x": -7.5, "y": None, "a": "it's", "b": "Z"},
    # Below the emoji by code point and in UTF-8, above it in UTF-16: not to be ordered.
    {"x": 0.1, "y": 0.2, "a": "ｦ", "b": "😀"},
    {"x": 1e12, "y": 0.01, "a": 'a\\b"c`d%_', "b": " "},
]
MANY = ", ".join(str(number) for number in range(3, 60))

CASES: list[tuple[str, list[Any]]] = [
    # comparisons
    ("x > 2", [T, F, N, F, F, T]),
    ("x >= 3", [T, F, N, F, F, T]),
    ("x < 0.1", [F, T, N, T, F, F]),
    ("x <= 0.1", [F, T, N, T, T, F]),
    ("x = 0", [F, T, N, F, F, F]),
    ("x <> 3", [F, T, N, T, T, T]),
    ("x != y", [T, F, N, N, T, T]),
    ("x > -7.5", [T, T, N, F, T, T]),
    ("x > 1e-7", [T, F, N, F, T, T]),
    ("x = 1000000000000", [F, F, N, F, F, T]),
    ("x = null", [N, N, N, N, N, N]),
    # text
    ("a = 'pos'", [T, F, N, F, F, F]),
    ("a = 'pos '", [F, F, N, F, F, F]),
    ("a <> ''", [T, F, N, T, T, T]),
    ("a = 'it''s'", [F, F, N, T, F, F]),
    ("a = 'a\\b\"c`d%_'", [F, F, N, F, F, T]),
    ("b = '😀'", [F, N, F, F, T, F]),
    ("b > 'Z'", [F, N, T, F, T, F]),
    ("b >= 'Z'", [F, N, T, T, T, F]),
    ("a < 'it''s'", [F, T, N, F, F, T]),
    ("'b' > a", [F, T, N, F, F, T]),
    ("a = b", [F, N, N, F, F, F]),
    ("a <> b", [T, N, N, T, T, T]),
    # arithmetic, all of it in doubles
    ("x / y", [1.5, N, N, N, 0.5, 1e14]),
    ("x / 2", [1.5, 0.0, N, -3.75, 0.05, 5e11]),
    ("x / 0", [N, N, N, N, N, N]),
    ("y / x", [2 / 3, N, N, N, 2.0, 1e-14]),
    ("x / (y - 2)", [N, 0.0, N, N, 0.1 / (0.2 - 2), 1e12 / (0.01 - 2)]),
    ("7 / 2", [3.5] * 6),
    ("1 / 3 * 3", [1.0] * 6),
    ("2 - 3 - 4", [-5.0] * 6),
    ("2 + 3 * 4", [14.0] * 6),
    ("(2 + 3) * 4", [20.0] * 6),
    ("2 * 3 - 4 / 8", [5.5] * 6),
    ("12 / 2 / 3", [2.0] * 6),
    ("x + y", [5.0, 0.0, N, N, 0.30000000000000004, 1000000000000.01]),
    ("x + y = 0.3", [F, F, N, N, F, F]),
    ("x * 0.001", [0.003, 0.0, N, -0.0075, 0.0001, 1e9]),
    ("-x", [-3.0, 0.0, N, 7.5, -0.1, -1e12]),
    ("- -x", [3.0, 0.0, N, -7.5, 0.1, 1e12]),
    ("2 - -x", [5.0, 2.0, N, -5.5, 2.1, 1000000000002.0]),
    ("x + null", [N, N, N, N, N, N]),
    # functions
    ("abs(x)", [3.0, 0.0, N, 7.5, 0.1, 1e12]),
    ("coalesce(x, y)", [3.0, 0.0, 5.0, -7.5, 0.1, 1e12]),
    ("coalesce(y, 9)", [2.0, 0.0, 5.0, 9.0, 0.2, 0.01]),
    ("coalesce(null, y)", [2.0, 0.0, 5.0, N, 0.2, 0.01]),
    ("coalesce(x)", [3.0, 0.0, N, -7.5, 0.1, 1e12]),
    ("coalesce(a, 'none')", ["pos", "", "none", "it's", "ｦ", 'a\\b"c`d%_']),
    ("coalesce(b, 'a longer text') = 'a longer text'", [F, T, F, F, F, F]),
    ("coalesce(x > 1, y > 1)", [T, F, T, F, F, T]),
    ("least(x, y)", [2.0, 0.0, N, N, 0.1, 0.01]),
    ("greatest(x, y, 1)", [3.0, 1.0, N, N, 1.0, 1e12]),
    ("least(x)", [3.0, 0.0, N, -7.5, 0.1, 1e12]),
    ("least(x, null)", [N, N, N, N, N, N]),
    ("greatest(least(x, 2), 1)", [2.0, 1.0, N, 1.0, 1.0, 2.0]),
    # lists and ranges
    ("x in (3, 0)", [T, T, N, F, F, F]),
    ("x not in (3, 0)", [F, F, N, T, T, T]),
    ("x in (-7.5)", [F, F, N, T, F, F]),
    (f"x in ({MANY})", [T, F, N, F, F, F]),
    (f"x not in ({MANY})", [F, T, N, T, T, T]),
    ("a in ('pos', 'automat', '')", [T, T, N, F, F, F]),
    ("a not in ('pos')", [F, T, N, T, T, T]),
    ("x between 0 and 3", [T, T, N, F, T, F]),
    ("x not between 0 and 3", [F, F, N, T, F, T]),
    ("x between y and 10", [T, T, N, N, F, F]),
    ("x not between y and -100", [T, T, N, T, T, T]),
    ("b between 'A' and 'Z'", [T, N, F, T, F, F]),
    # unknown
    ("x is null", [F, F, T, F, F, F]),
    ("x is not null", [T, T, F, T, T, T]),
    ("a is null", [F, F, T, F, F, F]),
    ("(x > 1) is null", [F, F, T, F, F, F]),
    ("null is null", [T] * 6),
    ("null", [N] * 6),
    # three values
    ("x > 1 and y > 1", [T, F, N, F, F, F]),
    ("x > 1 or y > 1", [T, F, T, N, F, T]),
    ("not x > 1", [F, T, N, T, T, F]),
    ("not (x > 1 and null)", [N, T, N, T, T, N]),
    ("x > 1 or null", [T, N, N, N, N, T]),
    ("x > 1 and null", [N, F, N, F, F, N]),
    ("x = 3 or y = 5 and a = 'pos'", [T, F, N, F, F, F]),
    ("(x = 3 or y = 5) and a = 'pos'", [T, F, N, F, F, F]),
    ("true and not false", [T] * 6),
    # case
    (
        "case when x > 1 then 10 when y > 1 then 20 else 30 end",
        [10.0, 30.0, 20.0, 30.0, 30.0, 10.0],
    ),
    ("case when x > 1 then 10 end", [10.0, N, N, N, N, 10.0]),
    ("case when x > 1 then null else y end", [N, 0.0, 5.0, N, 0.2, N]),
    (
        "case when a = 'pos' then 'shop' when a = '' then null else 'elsewhere' end",
        ["shop", N, "elsewhere", "elsewhere", "elsewhere", "elsewhere"],
    ),
    ("case when a = 'pos' then 'in' else 'elsewhere' end = 'in'", [T, F, F, F, F, F]),
    ("case when x > 0 then y > 1 else x = 0 end", [T, T, N, F, F, F]),
    ("case when null then 1 else 2 end", [2.0] * 6),
    ("coalesce(null, null) is null", [T] * 6),
    ("x > 1 or case when x > 1 then null else null end", [T, N, N, N, N, T]),
]

SENTENCES: list[tuple[str, dict[str, Any], str]] = [
    ("{x:.0f} km", {"x": 3.0}, "3 km"),
    ("{x:.0f}", {"x": 2.5}, "3"),
    ("{x:.0f}", {"x": -2.5}, "-3"),
    ("{x:.0f}", {"x": 0.49}, "0"),
    ("{x:.1f}", {"x": 0.25}, "0.3"),
    ("{x:.1f}", {"x": -0.04}, "0.0"),
    ("{x:.2f}", {"x": -0.005}, "-0.01"),
    ("{x:.2f}", {"x": 200.0}, "200.00"),
    # 2.675 is less than it looks, yet nearest to 267.5 hundredths; 1.005 to 100.49999999999999.
    ("{x:.2f}", {"x": 2.675}, "2.68"),
    ("{x:.2f}", {"x": 1.115}, "1.12"),
    ("{x:.2f}", {"x": 1.005}, "1.00"),
    ("{x:.2f}", {"x": 123456789.125}, "123456789.13"),
    ("{x:.2f}", {"x": 9999999999999.99}, "9999999999999.99"),
    ("{x:.2f}", {"x": 9999999999999.996}, "10000000000000.00"),
    ("{x:.2f}", {"x": 1e13}, "?"),
    ("{x:.0f}", {"x": 999999999999999.0}, "999999999999999"),
    ("{x:.0f}", {"x": 1e15}, "?"),
    ("{x:.0f}", {"x": -1e300}, "?"),
    ("{x:.3f}", {"x": 0.0005}, "0.001"),
    ("{x:.6f}", {"x": 0.1}, "0.100000"),
    ("{x:.6f}", {"x": 123456.7890125}, "123456.789013"),
    ("{x:.1f}|{y:.0f}", {"x": None, "y": 7.0}, "?|7"),
    ("{a}, {b}", {"a": "it's", "b": None}, "it's, ?"),
    ("{{{a}}} 100% 'sure' \"yes\" \\n", {"a": ""}, "{} 100% 'sure' \"yes\" \\n"),
    ("plain", {}, "plain"),
    ("{b}", {"b": "😀"}, "😀"),
]


def sentence_row(given: dict[str, Any]) -> dict[str, Any]:
    """A row with NULL wherever nothing is given."""
    return {**dict.fromkeys(COLUMNS), **given}


def make_number(choose: Callable[[Sequence[Any]], Any], depth: int) -> Node:
    """A random expression that gives a number."""
    kind = choose(["leaf"] if depth == 0 else ["leaf", "compute", "call", "coalesce", "case"])
    if kind == "compute":
        operator = choose(["+", "-", "*", "/"])
        return tree.Arithmetic(
            operator, make_number(choose, depth - 1), make_number(choose, depth - 1)
        )
    if kind == "call":
        function = choose(["abs", "least", "greatest"])
        count = 1 if function == "abs" else choose([1, 2, 3])
        arguments = tuple(make_number(choose, depth - 1) for _ in range(count))
        return tree.Call(function, arguments)
    if kind == "coalesce":
        return tree.Call(
            "coalesce", (make_number(choose, depth - 1), make_number(choose, depth - 1))
        )
    if kind == "case":
        branch = (make_condition(choose, depth - 1), make_number(choose, depth - 1))
        return tree.Case((branch,), choose([tree.Null(), make_number(choose, depth - 1)]))
    numbers = [tree.Number(value) for value in (0.0, 1.0, -1.0, 0.1, 200.0, 1e-7)]
    return choose([tree.Name("x", "number"), tree.Name("y", "number"), *numbers])


def make_text(choose: Callable[[Sequence[Any]], Any]) -> Node:
    """A column or a text."""
    texts = [tree.Text(value) for value in ("", "a", "B", "é", "😀", "it's")]
    return choose([tree.Name("a", "text"), tree.Name("b", "text"), *texts])


def make_condition(  # noqa: PLR0911 - one return for each kind
    choose: Callable[[Sequence[Any]], Any], depth: int
) -> Node:
    """A random condition."""
    inner = ["compare", "text", "null", "list"] + (["not", "and", "or", "case"] if depth else [])
    kind = choose(inner)
    deeper = max(depth - 1, 0)
    if kind == "not":
        return tree.Not(make_condition(choose, deeper))
    if kind in ("and", "or"):
        left, right = make_condition(choose, deeper), make_condition(choose, deeper)
        return tree.Logic(kind, left, choose([right, right, tree.Null()]))
    if kind == "case":
        branch = (make_condition(choose, deeper), make_condition(choose, deeper))
        return tree.Case((branch,), make_condition(choose, deeper))
    if kind == "text":
        plain = choose([tree.Text(value) for value in ("", "a", "B", "it's")])
        if choose([True, False]):
            return tree.Compare(choose(_COMPARISONS), make_text(choose), plain)
        return tree.Compare(choose(("=", "<>")), make_text(choose), make_text(choose))
    if kind == "null":
        return tree.IsNull(choose([make_number(choose, deeper), make_text(choose)]))
    if kind == "list":
        items = tuple(tree.Number(value) for value in (0.0, 0.1, 5.0))
        return tree.OneOf(make_number(choose, 0), items)
    left, right = make_number(choose, deeper), make_number(choose, deeper)
    return tree.Compare(choose(_COMPARISONS), left, right)


_COMPARISONS = ("=", "<>", "<", "<=", ">", ">=")
# Without a negative zero, which Flink does not find in a list of zeros.
NUMBERS = (None, 0.0, 0.1, 0.2, 0.3, 1.0, -1.0, 5.0, 199.995, 200.0, 1e12, -7.5)
TEXTS = (None, "", "a", "a ", "B", "é", "ｦ", "😀", "it's", "\\")


def make_row(choose: Callable[[Sequence[Any]], Any]) -> dict[str, Any]:
    """A random row."""
    return {
        "x": choose(NUMBERS),
        "y": choose(NUMBERS),
        "a": choose(TEXTS),
        "b": choose(TEXTS),
    }
