"""What sqlglot has read, rebuilt node by node as a tree of the documented subset.

So nothing outside it gets through: no other function, no sub-query, no cast, no statement. What is
compared or computed has the types for it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sqlglot import expressions as exp

from pipelines.expressions import tree
from pipelines.expressions.faults import ExpressionFault
from pipelines.expressions.tree import Node, type_of
from pipelines.hints import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from pipelines.columns import Column

SMALLEST, LARGEST = 1e-15, 1e15
"""Numbers in a rule stay so far inside a double that no sensible arithmetic leaves it."""

WORDS = {"number": "a number", "text": "a text", "boolean": "a condition", "null": "always null"}
_COMPARISONS: dict[type[exp.Expr], tree.Comparison] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_OPERATIONS: dict[type[exp.Expr], tree.Operation] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
}
_CONNECTIVES: dict[type[exp.Expr], tree.Connective] = {exp.And: "and", exp.Or: "or"}
_FUNCTIONS: dict[type[exp.Expr], tree.Function] = {
    exp.Coalesce: "coalesce",
    exp.Abs: "abs",
    exp.Least: "least",
    exp.Greatest: "greatest",
}
ALLOWED = (
    "and, or, not, comparisons, + - * /, in (...), between, is [not] null, case when, "
    + ", ".join(_FUNCTIONS.values())
)


def check(parsed: exp.Expr, columns: Mapping[str, Column]) -> Node:
    """The checked tree; ExpressionFault says what is wrong, all unknown columns at once.

    RecursionError for an expression that is too deep even to be looked at.
    """
    _refuse_unknown(parsed, columns)
    return _Checker(columns).check(parsed)


def _refuse_unknown(parsed: exp.Expr, columns: Mapping[str, Column]) -> None:
    """All unknown columns in one fault, so that a file is put right in one go."""
    faults = []
    for node in parsed.find_all(exp.Column, bfs=False):
        name = node.name.lower()
        if node.table or name not in columns:
            hint = nearest(name, columns)
            if hint == "" and isinstance(node.this, exp.Identifier) and node.this.quoted:
                hint = f" - write a text in single quotes: '{node.name}'"
            faults.append(f"unknown column {_shown(node)}{hint}")
    if faults:
        raise ExpressionFault("; ".join(dict.fromkeys(faults)))


class _Checker:
    """Rebuilds one parsed expression."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._columns = columns

    def check(self, node: exp.Expr) -> Node:
        """The checked node."""
        method = _METHODS.get(type(node))
        if method is None:
            msg = f"{_name(node)} is not allowed; allowed: {ALLOWED}"
            raise ExpressionFault(msg)
        return method(self, node)

    def inner(self, node: exp.Expr) -> Node:
        return self.check(node.this)

    def literal(self, node: exp.Expr) -> Node:
        if not node.is_string:
            value = float(node.this)
            is_within = value == 0 or SMALLEST <= value <= LARGEST
            if not (math.isfinite(value) and is_within):
                msg = f"number {node.this} is out of range; allowed: 0, and 1e-15 to 1e15"
                raise ExpressionFault(msg)
            return tree.Number(value)
        if any(ord(character) < 32 or ord(character) == 127 for character in node.this):
            msg = f"text {node.this!r} has a control character in it"
            raise ExpressionFault(msg)
        return tree.Text(node.this)

    def boolean(self, node: exp.Expr) -> Node:
        return tree.Boolean(bool(node.this))

    def null(self, _: exp.Expr) -> Node:
        return tree.Null()

    def column(self, node: exp.Expr) -> Node:
        name = node.name.lower()
        return tree.Name(name, self._columns[name].type)

    def negated(self, node: exp.Expr) -> Node:
        operand = self._number(node.this)
        if isinstance(operand, tree.Number):
            return tree.Number(-operand.value)
        return tree.Arithmetic("-", tree.Number(0.0), operand)

    def inverted(self, node: exp.Expr) -> Node:
        return tree.Not(self._condition(node.this))

    def connected(self, node: exp.Expr) -> Node:
        left, right = self._condition(node.this), self._condition(node.args["expression"])
        return tree.Logic(_CONNECTIVES[type(node)], left, right)

    def compared(self, node: exp.Expr) -> Node:
        return self._compare(_COMPARISONS[type(node)], node.this, node.args["expression"])

    def computed(self, node: exp.Expr) -> Node:
        left, right = self._number(node.this), self._number(node.args["expression"])
        return tree.Arithmetic(_OPERATIONS[type(node)], left, right)

    def between(self, node: exp.Expr) -> Node:
        if node.args.get("symmetric"):
            msg = "between symmetric is not allowed; write the smaller bound first"
            raise ExpressionFault(msg)
        low = self._compare(">=", node.this, node.args["low"])
        return tree.Logic("and", low, self._compare("<=", node.this, node.args["high"]))

    def one_of(self, node: exp.Expr) -> Node:
        operand = self.check(node.this)
        items = tuple(self.check(item) for item in node.expressions)
        if not items or not all(isinstance(item, tree.Number | tree.Text) for item in items):
            msg = "in (...) takes a list of numbers or texts, without null"
            raise ExpressionFault(msg)
        if {type_of(item) for item in items} != {type_of(operand)}:
            kinds = {WORDS[type_of(item)] for item in (operand, *items)}
            msg = f"{_shown(node)} compares {' with '.join(sorted(kinds))}"
            raise ExpressionFault(msg)
        return tree.OneOf(operand, items)

    def is_null(self, node: exp.Expr) -> Node:
        if not isinstance(node.args["expression"], exp.Null):
            msg = f"{_shown(node)} is not allowed: after is comes null or not null"
            raise ExpressionFault(msg)
        return tree.IsNull(self.check(node.this))

    def case(self, node: exp.Expr) -> Node:
        if node.this is not None:
            msg = "write case when CONDITION then VALUE, not case VALUE when"
            raise ExpressionFault(msg)
        branches = tuple(
            (self._condition(branch.this), self.check(branch.args["true"]))
            for branch in node.args["ifs"]
        )
        otherwise = node.args.get("default")
        last = tree.Null() if otherwise is None else self.check(otherwise)
        _check_same_type([*(value for _, value in branches), last], "case")
        return _null_if_only_null(tree.Case(branches, last))

    def called(self, node: exp.Expr) -> Node:
        function = _FUNCTIONS[type(node)]
        given = [node.this, *node.expressions]
        if function == "coalesce":
            arguments = tuple(self.check(item) for item in given)
            _check_same_type(arguments, "coalesce")
        else:
            arguments = tuple(self._number(item) for item in given)
        return _null_if_only_null(tree.Call(function, arguments))

    def _compare(self, operator: tree.Comparison, left: exp.Expr, right: exp.Expr) -> Node:
        first, second = self.check(left), self.check(right)
        kinds = {type_of(first), type_of(second)} - {"null"}
        if len(kinds) > 1 or "boolean" in kinds:
            shown = f"{_shown(left)} {operator} {_shown(right)}"
            msg = f"{shown} compares {WORDS[type_of(first)]} with {WORDS[type_of(second)]}"
            raise ExpressionFault(msg)
        is_ordered = operator not in ("=", "<>") and "text" in kinds
        if is_ordered and not any(_is_plain(side) for side in (first, second)):
            msg = (
                f"{_shown(left)} {operator} {_shown(right)} orders texts, which is allowed only "
                "against a text of plain ASCII such as '5999'"
            )
            raise ExpressionFault(msg)
        return tree.Compare(operator, first, second)

    def _condition(self, node: exp.Expr) -> Node:
        checked = self.check(node)
        if type_of(checked) not in ("boolean", "null"):
            msg = f"{_shown(node)} is {WORDS[type_of(checked)]}, not a condition"
            raise ExpressionFault(msg)
        return checked

    def _number(self, node: exp.Expr) -> Node:
        checked = self.check(node)
        if type_of(checked) not in ("number", "null"):
            msg = f"{_shown(node)} is {WORDS[type_of(checked)]}, not a number"
            raise ExpressionFault(msg)
        return checked


_METHODS: dict[type[exp.Expr], Callable[[_Checker, exp.Expr], Node]] = {
    exp.Paren: _Checker.inner,
    exp.Literal: _Checker.literal,
    exp.Boolean: _Checker.boolean,
    exp.Null: _Checker.null,
    exp.Column: _Checker.column,
    exp.Neg: _Checker.negated,
    exp.Not: _Checker.inverted,
    exp.Between: _Checker.between,
    exp.In: _Checker.one_of,
    exp.Is: _Checker.is_null,
    exp.Case: _Checker.case,
    **dict.fromkeys(_CONNECTIVES, _Checker.connected),
    **dict.fromkeys(_COMPARISONS, _Checker.compared),
    **dict.fromkeys(_OPERATIONS, _Checker.computed),
    **dict.fromkeys(_FUNCTIONS, _Checker.called),
}


def _check_same_type(nodes: Iterable[Node], where: str) -> None:
    kinds = sorted({str(type_of(node)) for node in nodes} - {"null"})
    if len(kinds) > 1:
        msg = f"{where} mixes {' and '.join(kinds)}"
        raise ExpressionFault(msg)


def _is_plain(node: Node) -> bool:
    """An ASCII text, which engines agree on: Flink may order others by UTF-16 or by UTF-8."""
    return isinstance(node, tree.Null) or (isinstance(node, tree.Text) and node.value.isascii())


def _null_if_only_null(node: Node) -> Node:
    """What can give nothing but NULL is NULL, so that an engine need not guess its type."""
    return tree.Null() if type_of(node) == "null" else node


def _name(node: exp.Expr) -> str:
    if isinstance(node, exp.Anonymous):
        return f"function {node.name}"
    if isinstance(node, exp.Func) and not isinstance(node, exp.Binary):
        return f"function {node.sql_name().lower()}"
    return f"{_shown(node)!r}"


def _shown(node: exp.Expr) -> str:
    text = node.sql(dialect="duckdb")
    return text if len(text) <= 60 else f"{text[:57]}..."
