"""One supervised process: what to run, as whom, with what around it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


def _nothing() -> None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A part of the stack as supervisord runs it."""

    name: str
    command: tuple[str, ...]
    priority: int
    """Stopped from the highest to the lowest."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Added to the environment; written to a file, so never a secret."""
    directory: Path
    stop_seconds: int = 15
    """How long it may take to end before it is killed."""
    steady_seconds: int = 2
    """Alive for this long, it counts as started."""
    user: str | None = None
    prepare: Callable[[], None] = _nothing
    """Writes what the program needs; called before each start by ``fraudlake up``."""
