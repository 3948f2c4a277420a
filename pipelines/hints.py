"""What to say of a name that nobody knows."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The nearest known name as a question, or else all of them; ready to be appended."""
    names = sorted(known)
    return nearest(name, names) or f" (known: {', '.join(names) or 'none'})"


def nearest(name: str, known: Iterable[str]) -> str:
    """The nearest known name as a question, or nothing; ready to be appended.

    >>> nearest("amuont", ["amount", "channel"]), nearest("x", ["amount"])
    (' - did you mean amount?', '')
    """
    near = difflib.get_close_matches(name, sorted(known), n=1)
    return f" - did you mean {near[0]}?" if near else ""
