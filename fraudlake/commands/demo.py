"""``fraudlake demo``: the whole pipeline in a minute, on real servers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.settings import Settings

BALANCE_SECONDS = 90.0


def register(app: typer.Typer) -> None:
    """Hang the command on the application."""
    app.command()(demo)


def demo(
    seconds: Annotated[int, typer.Option(min=5, help="How long to send traffic.")] = 30,
    seed: Annotated[int, typer.Option(help="The same people and attacks for the same seed.")] = 7,
    keep: Annotated[
        bool, typer.Option("--keep", envvar="KEEP", help="Leave the servers running.")
    ] = False,
) -> None:
    """Start everything, send labelled traffic, watch decisions and alerts, reconcile, stop.

    What ran before keeps running. Exit code 1 when a record was lost on its way, the
    reconciliation does not balance, or the traffic was interrupted. Example: fraudlake demo --keep
    """
    from rich.console import Console

    from fraudlake.stack.lifecycle import start_stack
    from fraudlake.stack.progress import Progress
    from fraudlake.stack.shutdown import stop_stack
    from fraudlake.stack.status import read_status
    from fraudlake.stopping import interrupt_on_ending
    from pipelines.settings import Settings

    interrupt_on_ending()
    console = Console(emoji=False)
    begun = time.monotonic()
    wanted = Settings.from_env()
    ran_before = any(part.pid is not None for part in read_status(wanted).parts)
    try:
        console.rule("1. starting the real servers, the job and the sinks")
        with Progress(console) as progress:
            settings = start_stack(wanted, observer=progress)
        went_well = _show(console, settings, seconds=seconds, seed=seed, begun=begun)
        _show_next_steps(console, settings, stays=keep or ran_before)
    finally:
        if not keep and not ran_before:
            console.rule("stopping what was started")
            with Progress(console) as progress:
                stop_stack(wanted, observer=progress)
    if not went_well:
        raise typer.Exit(1)


def _show(console: Console, settings: Settings, *, seconds: int, seed: int, begun: float) -> bool:
    """Send, watch, sum up, reconcile; whether nothing was lost."""
    from fraudlake.commands.reconcile import await_balance, is_balanced, show_findings
    from fraudlake.demo.show import OUTCOME_SECONDS, show_traffic
    from fraudlake.demo.summary import build_summary
    from fraudlake.demo.traffic import SPEED

    minutes = seconds * SPEED / 60
    console.rule(f"2. {minutes:g} minutes of card traffic, {SPEED:g} times as fast")
    show = show_traffic(console, settings.kafka, seconds=seconds, seed=seed)
    console.rule("3. what became of it")
    console.print(build_summary(show.produced, show.seen, show.truth))
    if show.seen.first_alert_s is not None:
        until = show.seen.first_alert_s - begun
        console.print(f"first alert {until:.0f} s after the start, servers included")
    if not show.is_complete:
        console.print(
            f"[red]some records had no outcome within {OUTCOME_SECONDS:.0f} s[/red]: see "
            "`fraudlake job status` and `fraudlake logs taskmanager-1`"
        )
    console.rule("4. reconciliation: everything exactly once?")
    findings = await_balance(settings, wait_seconds=BALANCE_SECONDS)
    show_findings(findings)
    if show.produced.is_stopped:
        console.print("[yellow]interrupted[/yellow]: the traffic was not sent to its end")
    went_well = is_balanced(findings) and show.is_complete and not show.produced.failed
    return went_well and not show.produced.is_stopped


def _show_next_steps(console: Console, settings: Settings, *, stays: bool) -> None:
    console.rule("where to look next")
    if stays:
        console.print(f"Flink's own page     {settings.flink.rest_url}", highlight=False)
    else:
        console.print("Keep the servers with `KEEP=1 make demo` (or `fraudlake up`), then:")
    for command, about in (
        ("fraudlake alerts list", "the newest alerts, each with the sentence that explains it"),
        ('fraudlake sql "select band, count(*) from decisions group by 1"', "history by SQL"),
        ("fraudlake produce --duration 1m", "more traffic"),
        ("fraudlake rules list", "the rules; docs/rules.md says how to write your own"),
        ("fraudlake status", "what runs, where, and how much memory it takes"),
    ):
        console.print(f"[bold]{command}[/bold]\n    {about}", highlight=False, soft_wrap=True)
