"""A checked tree over one row, in plain Python with SQL's three-valued logic: the slow oracle."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from pipelines.expressions import tree
from pipelines.expressions.tree import Node

Value = float | str | bool | None
Row = Mapping[str, Value]

_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": operator.eq,
    "<>": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_COMPUTE: dict[str, Callable[[Any, Any], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
}


def fires(condition: Node, row: Row) -> bool:
    """Whether a rule's condition holds; unknown is no."""
    return evaluate(condition, row) is True


def evaluate(node: Node, row: Row) -> Value:  # noqa: PLR0911 - one return for each kind
    """The value of an expression; None is NULL."""
    match node:
        case tree.Number(value) | tree.Text(value) | tree.Boolean(value):
            return value
        case tree.Null():
            return None
        case tree.Name(name, _):
            return row[name]
        case tree.Not(operand):
            value = evaluate(operand, row)
            return None if value is None else not value
        case tree.Logic(op, left, right):
            return _logic(op, evaluate(left, row), evaluate(right, row))
        case tree.Compare(op, left, right):
            return _strict(_COMPARE[op], evaluate(left, row), evaluate(right, row))
        case tree.Arithmetic(op, left, right):
            return _arithmetic(op, evaluate(left, row), evaluate(right, row))
        case tree.OneOf(operand, items):
            value = evaluate(operand, row)
            return None if value is None else value in [evaluate(item, row) for item in items]
        case tree.IsNull(operand):
            return evaluate(operand, row) is None
        case tree.Call(function, arguments):
            return _call(function, [evaluate(argument, row) for argument in arguments])
        case tree.Case(branches, otherwise):
            for condition, value in branches:
                if evaluate(condition, row) is True:
                    return evaluate(value, row)
            return evaluate(otherwise, row)


def _logic(op: str, left: Value, right: Value) -> bool | None:
    decisive = op == "or"
    if left is decisive or right is decisive:
        return decisive
    return None if left is None or right is None else not decisive


def _strict(function: Callable[[Any, Any], Any], left: Value, right: Value) -> Any:
    return None if left is None or right is None else function(left, right)


def _arithmetic(op: str, left: Value, right: Value) -> Value:
    if op == "/" and right == 0:
        return None
    result: Value = _strict(_COMPUTE[op], left, right)
    return result


def _call(function: str, values: list[Any]) -> Value:
    if function == "coalesce":
        return next((value for value in values if value is not None), None)
    if any(value is None for value in values):
        return None
    if function == "abs":
        return float(abs(values[0]))
    return float(min(values) if function == "least" else max(values))
