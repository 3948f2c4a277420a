"""From the text of a rule to a checked tree; a fault is a sentence that says what is allowed.

sqlglot reads the text. What it read is then rebuilt node by node, so that nothing outside the
documented subset gets through: no other function, no sub-query, no cast, no statement.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from typing import cast

import sqlglot
from sqlglot import expressions as exp

from pipelines.columns import Column
from pipelines.expressions import tree
from pipelines.expressions.tree import Node, type_of

_COMPARISONS: dict[type[exp.Expression], tree.Comparison] = {
    exp.EQ: "=",
    exp.NEQ: "<>",
    exp.LT: "<",
    exp.LTE: "<=",
    exp.GT: ">",
    exp.GTE: ">=",
}
_OPERATIONS: dict[type[exp.Expression], tree.Operation] = {
    exp.Add: "+",
    exp.Sub: "-",
    exp.Mul: "*",
    exp.Div: "/",
}
_FUNCTIONS: dict[type[exp.Expression], tree.Function] = {
    exp.Coalesce: "coalesce",
    exp.Abs: "abs",
    exp.Least: "least",
    exp.Greatest: "greatest",
}
ALLOWED = (
    "and, or, not, comparisons, + - * /, in (...), between, is [not] null, case when, "
    "coalesce, abs, least, greatest"
)


class ExpressionFault(Exception):
    """What is wrong with an expression; the rule file's reader adds the place."""


def parse_condition(text: str, columns: Mapping[str, Column]) -> Node:
    """The checked tree of a condition; ExpressionFault says what is wrong with it."""
    node = parse_expression(text, columns)
    if type_of(node) != "boolean":
        msg = f"is a {type_of(node)}, not a condition; compare it with something"
        raise ExpressionFault(msg)
    return node


def parse_number(text: str, columns: Mapping[str, Column]) -> Node:
    """The checked tree of an expression that gives a number."""
    node = parse_expression(text, columns)
    if type_of(node) != "number":
        msg = f"is a {type_of(node)}, not a number"
        raise ExpressionFault(msg)
    return node


def parse_expression(text: str, columns: Mapping[str, Column]) -> Node:
    """The checked tree of any expression of the subset."""
    try:
        parsed = sqlglot.parse(text, read="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise ExpressionFault(_syntax(error)) from error
    if len(parsed) != 1 or parsed[0] is None:
        msg = "must be one expression"
        raise ExpressionFault(msg)
    return _Checker(columns).check(parsed[0])


def _syntax(error: sqlglot.errors.SqlglotError) -> str:
    details = getattr(error, "errors", [])
    if details and details[0].get("highlight"):
        return f"does not parse near {details[0]['highlight']!r}"
    return f"does not parse: {str(error).splitlines()[0]}"


class _Checker:
    """Rebuilds one parsed expression."""

    def __init__(self, columns: Mapping[str, Column]) -> None:
        self._columns = columns

    def check(self, node: exp.Expression) -> Node:  # noqa: PLR0911 - one return for each kind
        """The checked node."""
        kind = type(node)
        if isinstance(node, exp.Paren):
            return self.check(node.this)
        if isinstance(node, exp.Literal):
            return tree.Text(node.this) if node.is_string else tree.Number(float(node.this))
        if isinstance(node, exp.Boolean):
            return tree.Boolean(bool(node.this))
        if isinstance(node, exp.Null):
            return tree.Null()
        if isinstance(node, exp.Column):
            return self._column(node)
        if isinstance(node, exp.Neg):
            return self._negated(node)
        if isinstance(node, exp.Not):
            return tree.Not(self._condition(node.this))
        if isinstance(node, exp.And | exp.Or):
            operator = "and" if isinstance(node, exp.And) else "or"
            return tree.Logic(
                operator, self._condition(node.this), self._condition(node.expression)
            )
        if kind in _COMPARISONS:
            return self._compared(_COMPARISONS[kind], node.this, node.expression)
        if kind in _OPERATIONS:
            left, right = self._number(node.this), self._number(node.expression)
            return tree.Arithmetic(_OPERATIONS[kind], left, right)
        if isinstance(node, exp.Between):
            low = self._compared(">=", node.this, node.args["low"])
            return tree.Logic("and", low, self._compared("<=", node.this, node.args["high"]))
        if isinstance(node, exp.In):
            return self._one_of(node)
        if isinstance(node, exp.Is):
            return self._is(node)
        if isinstance(node, exp.Case):
            return self._case(node)
        if kind in _FUNCTIONS:
            return self._called(_FUNCTIONS[kind], node)
        msg = f"{_name(node)} is not allowed; allowed: {ALLOWED}"
        raise ExpressionFault(msg)

    def _column(self, node: exp.Column) -> Node:
        name = node.name.lower()
        if node.table or name not in self._columns:
            shown = node.sql(dialect="duckdb")
            raise ExpressionFault(f"unknown column {shown}{did_you_mean(name, self._columns)}")
        return tree.Name(name, self._columns[name].type)

    def _negated(self, node: exp.Neg) -> Node:
        operand = self._number(node.this)
        if isinstance(operand, tree.Number):
            return tree.Number(-operand.value)
        return tree.Arithmetic("-", tree.Number(0.0), operand)

    def _compared(
        self, operator: tree.Comparison, left: exp.Expression, right: exp.Expression
    ) -> Node:
        first, second = self.check(left), self.check(right)
        kinds = {type_of(first), type_of(second)} - {"null"}
        if len(kinds) > 1 or "boolean" in kinds:
            shown = f"{left.sql(dialect='duckdb')} {operator} {right.sql(dialect='duckdb')}"
            msg = f"{shown} compares {type_of(first)} with {type_of(second)}"
            raise ExpressionFault(msg)
        return tree.Compare(operator, first, second)

    def _one_of(self, node: exp.In) -> Node:
        operand = self.check(node.this)
        items = tuple(self.check(item) for item in node.expressions)
        if not items or not all(isinstance(item, tree.Number | tree.Text) for item in items):
            msg = "in (...) takes a list of numbers or texts"
            raise ExpressionFault(msg)
        if {type_of(item) for item in items} != {type_of(operand)}:
            msg = f"in (...) compares {type_of(operand)} with items of another type"
            raise ExpressionFault(msg)
        return tree.OneOf(operand, items)

    def _is(self, node: exp.Is) -> Node:
        if not isinstance(node.expression, exp.Null):
            msg = "after is comes [not] null"
            raise ExpressionFault(msg)
        return tree.IsNull(self.check(node.this))

    def _case(self, node: exp.Case) -> Node:
        if node.this is not None:
            msg = "write case when CONDITION then VALUE, not case VALUE when"
            raise ExpressionFault(msg)
        branches = tuple(
            (self._condition(branch.this), self.check(branch.args["true"]))
            for branch in node.args["ifs"]
        )
        otherwise = node.args.get("default")
        case = tree.Case(branches, tree.Null() if otherwise is None else self.check(otherwise))
        _check_same_type([value for _, value in branches] + [case.otherwise], "case")
        return case

    def _called(self, function: tree.Function, node: exp.Expression) -> Node:
        given = [node.this, *node.expressions]
        if function == "coalesce":
            arguments = tuple(self.check(item) for item in given)
            _check_same_type(arguments, "coalesce")
        else:
            arguments = tuple(self._number(item) for item in given)
        return tree.Call(function, arguments)

    def _condition(self, node: exp.Expression) -> Node:
        checked = self.check(node)
        if type_of(checked) not in ("boolean", "null"):
            msg = f"{node.sql(dialect='duckdb')} is a {type_of(checked)}, not a condition"
            raise ExpressionFault(msg)
        return checked

    def _number(self, node: exp.Expression) -> Node:
        checked = self.check(node)
        if type_of(checked) not in ("number", "null"):
            msg = f"{node.sql(dialect='duckdb')} is a {type_of(checked)}, not a number"
            raise ExpressionFault(msg)
        return checked


def _check_same_type(nodes: Iterable[Node], where: str) -> None:
    kinds = {type_of(node) for node in nodes} - {"null"}
    if len(kinds) > 1:
        raise ExpressionFault(f"{where} mixes {' and '.join(sorted(cast('set[str]', kinds)))}")


def _name(node: exp.Expression) -> str:
    if isinstance(node, exp.Anonymous):
        return f"function {node.name}"
    return f"{node.sql(dialect='duckdb')!r}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint at the nearest known name, ready to be appended."""
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" - did you mean {near[0]}?" if near else ""
