"""A checked tree over one row, in plain Python with SQL's three-valued logic: the slow oracle."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pipelines.expressions import tree

if TYPE_CHECKING:
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
_CALL: dict[str, Callable[[list[Any]], float]] = {
    "abs": lambda values: abs(values[0]),
    "least": min,
    "greatest": max,
}
"""The functions that are NULL where any argument is."""


def fires(condition: Node, row: Row) -> bool:
    """Whether a rule's condition holds; unknown is no."""
    return evaluate(condition, row) is True


def evaluate(node: Node, row: Row) -> Value:
    """The value of an expression; None is NULL. ``row`` has a value for every column it names."""
    match node:
        case tree.Number(constant) | tree.Text(constant) | tree.Boolean(constant):
            return constant
        case tree.Null():
            return None
        case tree.Name(name, _):
            return row[name]
        case tree.Not(operand):
            held = evaluate(operand, row)
            return None if held is None else not held
        case tree.Logic(connective, left, right):
            return _logic(connective, evaluate(left, row), evaluate(right, row))
        case tree.Compare(comparison, left, right):
            return _strict(_COMPARE[comparison], evaluate(left, row), evaluate(right, row))
        case tree.Arithmetic(operation, left, right):
            return _arithmetic(operation, evaluate(left, row), evaluate(right, row))
        case tree.OneOf(operand, items):
            sought = evaluate(operand, row)
            return None if sought is None else sought in [evaluate(item, row) for item in items]
        case tree.IsNull(operand):
            return evaluate(operand, row) is None
        case tree.Call(function, arguments):
            return _call(function, [evaluate(argument, row) for argument in arguments])
        case tree.Case(branches, otherwise):
            for condition, result in branches:
                if evaluate(condition, row) is True:
                    return evaluate(result, row)
            return evaluate(otherwise, row)


def _logic(op: str, left: Value, right: Value) -> bool | None:
    decisive = op == "or"
    if left is decisive or right is decisive:
        return decisive
    return None if left is None or right is None else not decisive


def _strict(function: Callable[[Any, Any], Value], left: Value, right: Value) -> Value:
    return None if left is None or right is None else function(left, right)


def _arithmetic(op: str, left: Value, right: Value) -> Value:
    if op == "/" and right == 0:
        return None
    return _strict(_COMPUTE[op], left, right)


def _call(function: str, values: list[Any]) -> Value:
    if function == "coalesce":
        present: list[Value] = [value for value in values if value is not None]
        return present[0] if present else None
    if any(value is None for value in values):
        return None
    return float(_CALL[function](values))
