"""What others wrote, on a terminal: its control characters stay away from it.

A name or a note may hold an escape sequence that clears the screen or sets its title. Whatever is
printed goes through here, so that no field can be forgotten.
"""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from rich.segment import Segment

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

_HARMFUL = frozenset({"Cc", "Cf", "Cs"})
"""Control and format characters (among them those that turn the direction of writing around)."""


class Harmless:
    """The same as ``part``, without control characters in its text; colours are rich's own."""

    def __init__(self, part: RenderableType) -> None:
        self._part = part

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """As rich asks for it. They take no room, so every column keeps its width."""
        for segment in console.render(self._part, options):
            if segment.control:
                yield segment
            else:
                yield Segment(strip_controls(segment.text), segment.style)


def strip_controls(text: str) -> str:
    """Without control and format characters; new lines and tabs stay.

    >>> strip_controls("a\\x1b[2Jb")
    'a[2Jb'
    """
    return "".join(
        one for one in text if one in "\n\t" or unicodedata.category(one) not in _HARMFUL
    )
