"""From the text of a rule to a checked tree; a fault is a sentence that says what is allowed.

sqlglot reads the text; ``checking.py`` lets through what is allowed, and ``folding.py`` works out
what is constant.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import sqlglot

from pipelines.expressions import tree
from pipelines.expressions.checking import LARGEST, WORDS, check
from pipelines.expressions.faults import ExpressionFault
from pipelines.expressions.folding import fold
from pipelines.expressions.tree import Node, type_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlglot import expressions as exp

    from pipelines.columns import Column

DEEPEST = 100
"""So many levels an expression may have: everything that walks a tree walks it by recursion."""


def parse_condition(text: str, columns: Mapping[str, Column]) -> Node:
    """The checked tree of a condition; ExpressionFault says what is wrong with it."""
    return _fold_of_type("boolean", _check(text, columns))


def parse_number(text: str, columns: Mapping[str, Column]) -> Node:
    """The checked tree of an expression that gives a number."""
    return _fold_of_type("number", _check(text, columns))


def parse_expression(text: str, columns: Mapping[str, Column]) -> Node:
    """The checked tree of any expression of the subset."""
    return _fold(_check(text, columns))


def _check(text: str, columns: Mapping[str, Column]) -> Node:
    try:
        node = check(_parse(text), columns)
        is_too_deep = tree.depth_of(node) > DEEPEST
    except RecursionError:
        is_too_deep = True
    if is_too_deep:
        msg = f"is more than {DEEPEST} levels deep; make several rules of it"
        raise ExpressionFault(msg)
    return node


def _fold_of_type(wanted: tree.ValueType, node: Node) -> Node:
    found = type_of(node)
    if found != wanted:
        words = {"boolean": "a condition; compare it with something", "number": "a number"}
        msg = f"is {WORDS[found]}, not {words[wanted]}"
        raise ExpressionFault(msg)
    return _fold(node)


def _fold(node: Node) -> Node:
    folded = fold(node)
    for number in tree.numbers_of(folded):
        if not math.isfinite(number) or abs(number) > LARGEST:
            msg = f"works out to {number:g}, which is out of range; allowed: up to 1e15"
            raise ExpressionFault(msg)
    return folded


def _parse(text: str) -> exp.Expr:
    try:
        parsed = sqlglot.parse(text, read="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise ExpressionFault(_syntax(error)) from error
    if len(parsed) != 1 or parsed[0] is None:
        msg = "must be one expression"
        raise ExpressionFault(msg)
    return parsed[0]


def _syntax(error: sqlglot.errors.SqlglotError) -> str:
    details = getattr(error, "errors", [])
    if details and details[0].get("highlight"):
        return f"does not parse near {details[0]['highlight']!r}"
    return f"does not parse: {str(error).splitlines()[0]}"
