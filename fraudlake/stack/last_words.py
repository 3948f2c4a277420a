"""What a part said before it ended, for the error that tells of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fraudlake.stack.home import Home

LAST_LINES = 12


def last_words(home: Home, part: str, exits: Sequence[str]) -> str:
    """A sentence with how the part ended and the end of its log."""
    log = home.log(part)
    text = log.read_text(encoding="utf-8", errors="replace") if log.is_file() else ""
    lines = [line for line in text.splitlines() if _is_telling(line)][-LAST_LINES:]
    how = exits[-1] if exits else "its command could not be run"
    said = "".join(f"\n    {line[:300]}" for line in lines)
    return f"{part} ended while starting ({how}). The end of {log}:{said or ' it is empty'}"


def _is_telling(line: str) -> bool:
    return line.strip() != "" and not line.lstrip().startswith("at ")  # a frame of a Java trace
