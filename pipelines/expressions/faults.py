"""What is wrong with an expression, as a sentence that says what is allowed."""

from __future__ import annotations


class ExpressionFault(Exception):
    """What is wrong with an expression; the rule file's reader adds the place."""
