"""Passwords and keys: text that never shows itself."""

from __future__ import annotations


class Secret(str):
    """Text that never shows itself in logs, tracebacks or ``repr``; ``reveal`` gives it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secret('***')"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format(repr(self), spec)

    def reveal(self) -> str:
        """The text itself, for the client that needs it."""
        return str.__str__(self)


NOT_SET = Secret("")
