"""A checked tree with everything constant worked out beforehand.

The job's SQL gets shorter, ``2 * 100`` and ``200`` are one meaning, and Flink is spared what it
cannot plan: it fails on a constant divided by a constant expression.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.expressions import tree
from pipelines.expressions.interpret import evaluate

if TYPE_CHECKING:
    from pipelines.expressions.interpret import Value
    from pipelines.expressions.tree import Node

_TRUE, _FALSE = tree.Boolean(value=True), tree.Boolean(value=False)


def fold(node: Node) -> Node:
    """An expression with the same value for every row; constants are single nodes."""
    folded = _with_folded_children(node)
    if not tree.columns_of(folded):
        return _constant(evaluate(folded, {}))
    match folded:
        case tree.Logic(operator, left, right):
            return _fold_logic(operator, left, right)
        case tree.Compare(_, left, right) | tree.Arithmetic(_, left, right):
            return tree.Null() if tree.Null() in (left, right) else folded
        case tree.Call("coalesce", arguments):
            return _fold_coalesce(arguments)
        case tree.Call(_, arguments):
            return tree.Null() if tree.Null() in arguments else folded
        case tree.Case(branches, otherwise):
            return _fold_case(branches, otherwise)
        case _:
            return folded


def _with_folded_children(node: Node) -> Node:
    match node:
        case tree.Not(operand):
            return tree.Not(fold(operand))
        case tree.IsNull(operand):
            return tree.IsNull(fold(operand))
        case tree.Logic(operator, left, right):
            return tree.Logic(operator, fold(left), fold(right))
        case tree.Compare(comparison, left, right):
            return tree.Compare(comparison, fold(left), fold(right))
        case tree.Arithmetic(operation, left, right):
            return tree.Arithmetic(operation, fold(left), fold(right))
        case tree.OneOf(operand, items):
            return tree.OneOf(fold(operand), items)
        case tree.Call(function, arguments):
            return tree.Call(function, tuple(fold(argument) for argument in arguments))
        case tree.Case(branches, otherwise):
            pairs = tuple((fold(condition), fold(value)) for condition, value in branches)
            return tree.Case(pairs, fold(otherwise))
        case _:
            return node


def _constant(value: Value) -> Node:
    if value is None:
        return tree.Null()
    if isinstance(value, bool):
        return _TRUE if value else _FALSE
    return tree.Text(value) if isinstance(value, str) else tree.Number(float(value))


def _fold_logic(operator: tree.Connective, left: Node, right: Node) -> Node:
    decisive, neutral = (_TRUE, _FALSE) if operator == "or" else (_FALSE, _TRUE)
    if decisive in (left, right):
        return decisive
    if left == neutral:
        return right
    return left if right == neutral else tree.Logic(operator, left, right)


def _fold_coalesce(arguments: tuple[Node, ...]) -> Node:
    """Without NULLs, and without what stands behind a constant."""
    kept: list[Node] = []
    for argument in arguments:
        if not isinstance(argument, tree.Null):
            kept.append(argument)
            if not tree.columns_of(argument):
                break
    return kept[0] if len(kept) == 1 else tree.Call("coalesce", tuple(kept))


def _fold_case(branches: tuple[tuple[Node, Node], ...], otherwise: Node) -> Node:
    """Without branches that never hold, and without what stands behind one that always does."""
    kept: list[tuple[Node, Node]] = []
    for condition, value in branches:
        if condition == _TRUE:
            otherwise = value
            break
        if condition not in (_FALSE, tree.Null()):
            kept.append((condition, value))
    values = [*(value for _, value in kept), otherwise]
    if all(value == otherwise for value in values):
        return otherwise
    return tree.Case(tuple(kept), otherwise)
