"""A checked tree as SQL, for Flink (the stream) and for DuckDB (history), with one meaning.

Where the engines differ, the text is written so that they cannot: every number is a DOUBLE literal,
a division by zero is NULL, least and greatest are NULL where any argument is, and a name is quoted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pipelines.expressions import tree

if TYPE_CHECKING:
    from pipelines.expressions.tree import Node

Dialect = Literal["flink", "duckdb"]


def render(node: Node, dialect: Dialect) -> str:
    """The SQL text of an expression."""
    return _Renderer(dialect).render(node)


def render_condition(node: Node, dialect: Dialect) -> str:
    """A condition as BOOLEAN that is never NULL: unknown is no."""
    return f"COALESCE({_Renderer(dialect).condition(node)}, FALSE)"


def quote_name(name: str, dialect: Dialect) -> str:
    """A quoted identifier."""
    mark = "`" if dialect == "flink" else '"'
    return mark + name.replace(mark, mark * 2) + mark


def quote_text(text: str) -> str:
    """A string literal; both dialects double the quote and know no escapes."""
    return "'" + text.replace("'", "''") + "'"


def number_literal(value: float) -> str:
    """A DOUBLE literal: a number with an exponent is one in both dialects."""
    text = repr(float(value))
    return text if "e" in text else f"{text}e0"


class _Renderer:
    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect

    def render(self, node: Node) -> str:
        match node:
            case tree.Number(value):
                text = number_literal(value)
                return f"({text})" if value < 0 else text
            case tree.Text(value):
                return quote_text(value)
            case tree.Boolean(value):
                return "TRUE" if value else "FALSE"
            case tree.Null():
                return "CAST(NULL AS DOUBLE)"
            case tree.Name(name, _):
                return quote_name(name, self._dialect)
            case tree.Not(operand):
                return f"(NOT {self.condition(operand)})"
            case tree.Logic(operator, left, right):
                joined = f" {operator.upper()} "
                return f"({self.condition(left)}{joined}{self.condition(right)})"
            case tree.Compare(operator, left, right):
                return f"({self._like(left, right)} {operator} {self._like(right, left)})"
            case tree.Arithmetic("/", left, tree.Number(divisor) as right) if divisor != 0:
                return f"({self.render(left)} / {self.render(right)})"
            case tree.Arithmetic("/", left, right):
                return f"({self.render(left)} / NULLIF({self.render(right)}, 0e0))"
            case tree.Arithmetic(operator, left, right):
                return f"({self.render(left)} {operator} {self.render(right)})"
            case tree.OneOf(operand, items):
                return f"({self.render(operand)} IN ({', '.join(map(self.render, items))}))"
            case tree.IsNull(operand):
                return f"({self.render(operand)} IS NULL)"
            case tree.Call(function, arguments):
                return self._call(function, arguments)
            case tree.Case(branches, otherwise):
                return self._case(branches, otherwise)

    def condition(self, node: Node) -> str:
        """A condition as BOOLEAN, which a bare NULL must be told to be."""
        return "CAST(NULL AS BOOLEAN)" if isinstance(node, tree.Null) else self.render(node)

    def _like(self, node: Node, other: Node) -> str:
        """NULL needs the type of what it is compared with."""
        return self._typed(node, tree.type_of(other))

    def _typed(self, node: Node, kind: tree.ValueType) -> str:
        if not isinstance(node, tree.Null):
            return self.render(node)
        text = "STRING" if self._dialect == "flink" else "VARCHAR"
        names = {"text": text, "boolean": "BOOLEAN"}
        return f"CAST(NULL AS {names.get(kind, 'DOUBLE')})"

    def _call(self, function: tree.Function, arguments: tuple[Node, ...]) -> str:
        kind = tree.type_of(tree.Call("coalesce", arguments))
        texts = [self._typed(argument, kind) for argument in arguments]
        if function in ("least", "greatest") and self._dialect == "duckdb":
            # DuckDB passes over NULLs here; Flink does not.
            missing = " OR ".join(f"{text} IS NULL" for text in texts)
            call = f"{function.upper()}({', '.join(texts)})"
            return f"(CASE WHEN {missing} THEN CAST(NULL AS DOUBLE) ELSE {call} END)"
        return f"{function.upper()}({', '.join(texts)})"

    def _case(self, branches: tuple[tuple[Node, Node], ...], otherwise: Node) -> str:
        kind = tree.type_of(tree.Case(branches, otherwise))
        whens = " ".join(
            f"WHEN {self.condition(condition)} THEN {self._typed(value, kind)}"
            for condition, value in branches
        )
        return f"(CASE {whens} ELSE {self._typed(otherwise, kind)} END)"
