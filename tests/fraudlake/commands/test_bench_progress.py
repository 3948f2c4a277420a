"""The bars of a benchmark."""

from __future__ import annotations

from io import StringIO

from rich.console import Console
from rich.progress import Progress

from fraudlake.commands.bench_progress import StepBars


def test_each_step_has_one_bar_however_often_it_is_told_of() -> None:
    progress = Progress(console=Console(file=StringIO()))
    bars = StepBars(progress)
    for step, done, total in (("filling", 1, 10), ("filling", 7, 10), ("deciding", 2, 5)):
        bars(step, done, total)
    shown = [(task.description, task.completed, task.total) for task in progress.tasks]
    assert shown == [("filling", 7, 10), ("deciding", 2, 5)]
