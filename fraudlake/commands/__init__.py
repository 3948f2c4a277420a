"""One module for each command; each imports what it needs when it runs, so that help is instant."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import typer

# In the order in which `fraudlake --help` shows them. Each module has `register(app)`.
COMMANDS = (
    "doctor",
    "stack",
    "demo",
    "produce",
    "replay",
    "rules",
    "job",
    "sink",
    "alerts",
    "dashboards",
    "sql",
    "lake",
    "reconcile",
    "bench",
)


def register_commands(app: typer.Typer) -> None:
    """Hang every command on the application."""
    for name in COMMANDS:
        importlib.import_module(f"{__name__}.{name}").register(app)
