"""What a condition holds against what, found in its text: the numbers that an alert shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.expressions import tree

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipelines.columns import Column
    from pipelines.expressions.tree import Node

AMOUNTS = ("amount", "base_amount")


def compared_sides(condition: Node, columns: Mapping[str, Column]) -> tuple[Node, Node]:
    """The observed value and its limit; both NULL where nothing measured is compared.

    They are the sides of the first comparison with a feature or an amount in it. Observed is the
    side that was measured on the card; what is known of the customer is a limit, unless it stands
    alone.
    """
    for node in _walk(condition):
        if isinstance(node, tree.Compare):
            left, right = _rank(node.left, columns), _rank(node.right, columns)
            if max(left, right) > 0:
                is_left = left >= right
                return (node.left, node.right) if is_left else (node.right, node.left)
    return tree.Null(), tree.Null()


def _rank(side: Node, columns: Mapping[str, Column]) -> int:
    """2 with a card's feature or an amount in it, 1 with a customer's attribute, else 0."""
    return max((_rank_of(columns[name]) for name in tree.columns_of(side)), default=0)


def _rank_of(column: Column) -> int:
    if column.origin == "history" or column.name in AMOUNTS:
        return 2
    return 1 if column.origin == "attribute" else 0


def _walk(node: Node) -> Iterator[Node]:
    """The node and all below it, from left to right."""
    yield node
    for child in tree.children(node):
        yield from _walk(child)
