"""A checked expression as a tree of a few node kinds; what the renderers and the interpreter read.

Numbers are doubles, text is text, and a condition is true, false or unknown (NULL), as in SQL.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

ValueType = Literal["number", "text", "boolean", "null"]
Comparison = Literal["=", "<>", "<", "<=", ">", ">="]
Operation = Literal["+", "-", "*", "/"]
Connective = Literal["and", "or"]
Function = Literal["coalesce", "abs", "least", "greatest"]


@dataclass(frozen=True, slots=True)
class Number:
    """A number."""

    value: float


@dataclass(frozen=True, slots=True)
class Text:
    """A text."""

    value: str


@dataclass(frozen=True, slots=True)
class Boolean:
    """true or false."""

    value: bool


@dataclass(frozen=True, slots=True)
class Null:
    """Unknown."""


@dataclass(frozen=True, slots=True)
class Name:
    """A column."""

    name: str
    type: ValueType


@dataclass(frozen=True, slots=True)
class Not:
    """not a"""

    operand: Node


@dataclass(frozen=True, slots=True)
class Logic:
    """a and b; a or b"""

    operator: Connective
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Compare:
    """a > b"""

    operator: Comparison
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """a * b; a / b is unknown where b is 0"""

    operator: Operation
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class OneOf:
    """a in (1, 2)"""

    operand: Node
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class IsNull:
    """a is null"""

    operand: Node


@dataclass(frozen=True, slots=True)
class Call:
    """abs(a); least and greatest are unknown where any argument is"""

    function: Function
    arguments: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """case when a then b else c end"""

    branches: tuple[tuple[Node, Node], ...]
    otherwise: Node


Node: TypeAlias = (
    Number
    | Text
    | Boolean
    | Null
    | Name
    | Not
    | Logic
    | Compare
    | Arithmetic
    | OneOf
    | IsNull
    | Call
    | Case
)


def children(node: Node) -> tuple[Node, ...]:
    """The operands of a node, from left to right."""
    match node:
        case Not(operand) | IsNull(operand):
            return (operand,)
        case Logic(_, left, right) | Compare(_, left, right) | Arithmetic(_, left, right):
            return (left, right)
        case OneOf(operand, items):
            return (operand, *items)
        case Call(_, arguments):
            return arguments
        case Case(branches, otherwise):
            return (*(item for branch in branches for item in branch), otherwise)
        case _:
            return ()


def columns_of(node: Node) -> frozenset[str]:
    """The names of all columns in an expression."""
    if isinstance(node, Name):
        return frozenset({node.name})
    return frozenset().union(*(columns_of(child) for child in children(node)))


def numbers_of(node: Node) -> tuple[float, ...]:
    """All numbers written in an expression."""
    if isinstance(node, Number):
        return (node.value,)
    return tuple(number for child in children(node) for number in numbers_of(child))


def depth_of(node: Node) -> int:
    """How many levels the tree has."""
    return 1 + max((depth_of(child) for child in children(node)), default=0)


def type_of(node: Node) -> ValueType:
    """What an expression gives."""
    match node:
        case Number() | Arithmetic():
            return "number"
        case Text():
            return "text"
        case Null():
            return "null"
        case Name(_, kind):
            return kind
        case Call("coalesce", arguments):
            return _common(arguments)
        case Call():
            return "number"
        case Case(branches, otherwise):
            return _common((*(value for _, value in branches), otherwise))
        case _:
            return "boolean"


def _common(nodes: tuple[Node, ...]) -> ValueType:
    known = [type_of(node) for node in nodes if type_of(node) != "null"]
    return known[0] if known else "null"
