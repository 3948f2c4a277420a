"""What a person sees while the stack starts and stops: a line for each part, with its time."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from types import TracebackType

    from rich.console import Console

    from fraudlake.stack.observer import Step

_SAID = {
    "preparing": "preparing",
    "starting": "starting",
    "ready": "ready",
    "already runs": "already runs",
    "changed": "changed since the start; `fraudlake down` and `up` apply them",
    "stopping": "stopping",
    "stopped": "stopped",
}
_OPEN = ("preparing", "starting", "stopping")


@dataclass(slots=True)
class _Line:
    step: Step
    since: float
    took: float | None = None


class Progress:
    """An observer that draws. On a terminal the lines live; elsewhere each change is a line."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lines: dict[str, _Line] = {}
        self._live: Live | None = None

    def __enter__(self) -> Progress:
        if self._console.is_terminal:
            self._live = Live(
                console=self._console, refresh_per_second=8, get_renderable=self._render
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def report(self, part: str, step: Step) -> None:
        """``part`` has come to ``step``."""
        now = time.monotonic()
        line = self._lines.get(part)
        if line is None or step in _OPEN:
            line = _Line(step=step, since=now)
            self._lines[part] = line
        line.step = step
        if step not in _OPEN:
            line.took = now - line.since
        if self._live is None:
            took = "" if line.took is None else f" ({line.took:.1f} s)"
            self._console.print(f"{part}: {_SAID[step]}{took}", highlight=False)

    def _render(self) -> Table:
        table = Table.grid(padding=(0, 2))
        now = time.monotonic()
        for part, line in self._lines.items():
            took = now - line.since if line.took is None else line.took
            table.add_row(_mark(line.step), part, _SAID[line.step], f"{took:5.1f} s")
        return table


def _mark(step: Step) -> Spinner | Text:
    if step in _OPEN:
        return Spinner("dots", style="yellow")
    if step == "changed":
        return Text("!", style="yellow")
    return Text("✓", style="green") if step != "stopped" else Text("·")
