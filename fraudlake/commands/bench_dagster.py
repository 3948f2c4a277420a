"""``fraudlake bench dagster``: what the control plane costs, each figure beside its target."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from pathlib import Path

    from bench.control_plane import ControlPlaneCost

TARGET_LOAD_S = 6.0
TARGET_TICK_S = 2.0
TARGET_SILENT_TICK_S = 6.0
TARGET_MB = 900.0


def dagster(
    *,
    seconds: Annotated[
        int, typer.Option(min=1, help="How long the memory is watched; the watch ticks each 60 s.")
    ] = 90,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Loading the graph, a tick of the watch with servers up and silent, and Dagster's memory.

    Needs the stack with Dagster (`fraudlake up --ui`), and changes nothing in it.

    Example: fraudlake bench dagster --json
    """
    from rich.console import Console

    from bench.control_plane import measure_control_plane
    from pipelines.settings import Settings

    settings = Settings.from_env()
    found = measure_control_plane(
        settings,
        pid=_find_dagster(settings.stack.home.resolve()),
        seconds=seconds,
        say=Console(stderr=True, highlight=False).print,
    )
    if as_json:
        targets = {name: is_met for name, _, _, is_met in _compare(found)}
        typer.echo(json.dumps({**asdict(found), "targets_met": targets}))
    else:
        _show(found)


def _find_dagster(home: Path) -> int:
    """The process that the supervisor of the stack started; StackError if there is none."""
    from fraudlake.stack.home import Home
    from fraudlake.stack.supervisor import Supervisor
    from fraudlake.stack.workers import DAGSTER
    from pipelines.errors import StackError

    supervisor = Supervisor(Home(path=home))
    state = supervisor.states().get(DAGSTER) if supervisor.is_running() else None
    if state is None or state.pid is None:
        msg = f"no Dagster runs in {home}, whose memory is measured. Start it: `fraudlake up --ui`"
        raise StackError(msg)
    return state.pid


def _compare(found: ControlPlaneCost) -> list[tuple[str, str, str, bool]]:
    """What was measured, its figure, its target, and whether that was met: the worst counts."""
    load, up, silent = found.load, found.tick_up, found.tick_silent
    return [
        (name, f"{times.median_s:.1f} s, {times.worst_s:.1f} s", f"{limit:.0f} s", is_met)
        for name, times, limit, is_met in (
            ("the graph loads", load, TARGET_LOAD_S, load.worst_s <= TARGET_LOAD_S),
            ("a tick, all servers up", up, TARGET_TICK_S, up.worst_s <= TARGET_TICK_S),
            (
                "a tick, all servers silent",
                silent,
                TARGET_SILENT_TICK_S,
                silent.worst_s <= TARGET_SILENT_TICK_S,
            ),
        )
    ] + [
        (
            "memory of web server, daemon and code",
            f"{found.memory.mb:,.0f} MB",
            f"{TARGET_MB:,.0f} MB",
            found.memory.mb <= TARGET_MB,
        )
    ]


def _show(found: ControlPlaneCost) -> None:
    from rich.console import Console
    from rich.table import Table

    memory = found.memory
    counted = "each with all its pages" if memory.pss_mb is None else "shared pages counted once"
    table = Table(
        caption=f"the largest sum of {memory.processes} processes, {counted}; with shared pages in "
        f"each: {memory.rss_mb:,.0f} MB",
    )
    table.add_column("")
    table.add_column("median, worst", justify="right")
    table.add_column("target", justify="right")
    table.add_column("")
    for name, figure, target, is_met in _compare(found):
        table.add_row(name, figure, target, "met" if is_met else "[red]missed[/]")
    console = Console(highlight=False)
    console.print(table)
    console.print(f"the last tick with servers up: {found.line_up}", soft_wrap=True)
    console.print(f"the last with silent ones: {found.line_silent}", soft_wrap=True)
