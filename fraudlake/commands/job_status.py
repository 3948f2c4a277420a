"""``fraudlake job status``: the job's state and main figures, once or each second."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from pipelines.flink import FlinkRest
    from pipelines.settings import Settings

REFRESH_SECONDS = 1.0
NEVER = "no such job was ever submitted"


def status(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Look again each second, with rates. Ctrl-C ends it.")
    ] = False,
) -> None:
    """State, counts, latency, checkpoints and lag of the job. Exit code 1 when it does not run.

    Example: fraudlake job status --watch
    """
    from rich.console import Console

    from fraudlake.job.facts import read_facts, read_given_up
    from fraudlake.job.table import Look, render_job
    from pipelines.flink import FlinkRest
    from pipelines.job_figures import FigureReader
    from pipelines.settings import Settings

    settings = Settings.from_env()
    rest = FlinkRest(settings.flink.rest_url)
    console = Console(highlight=False, emoji=False)
    if watch:
        _watch(settings, rest, console, as_json=as_json)
        return
    facts = read_facts(settings, rest, FigureReader(rest), with_lag=True)
    if facts is None:
        given_up = read_given_up(settings)
        absent = {"state": "absent", "given_up": given_up}
        words = NEVER if given_up is None else f"Flink does not know the job. Given up: {given_up}"
        typer.echo(json.dumps(absent) if as_json else words)
        raise typer.Exit(1)
    if as_json:
        typer.echo(json.dumps(facts.as_json()))
    else:
        console.print(render_job(Look(facts=facts, at_s=0.0), None))
    if not facts.is_running:
        raise typer.Exit(1)


def _watch(settings: Settings, rest: FlinkRest, console: Console, *, as_json: bool) -> None:
    """Until Ctrl-C or SIGTERM; a cluster that is away is waited for, and said to be away."""
    from rich.live import Live

    from fraudlake.job.watch import JobWatch
    from fraudlake.stopping import stop_on_signal

    watching = JobWatch(settings, rest, clock=time.monotonic)
    with stop_on_signal() as should_stop:
        if as_json:
            _repeat(lambda: typer.echo(json.dumps(watching.look().as_json())), should_stop)
            return
        with Live(console=console, auto_refresh=False, transient=False) as live:
            _repeat(lambda: live.update(watching.look().render(), refresh=True), should_stop)


def _repeat(show: Callable[[], None], should_stop: Callable[[], bool]) -> None:
    while not should_stop():
        begun = time.monotonic()
        show()
        while not should_stop() and (left := begun + REFRESH_SECONDS - time.monotonic()) > 0:
            time.sleep(min(left, 0.1))
