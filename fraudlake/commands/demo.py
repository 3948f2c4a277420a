"""``fraudlake demo``: the whole pipeline in a minute, on real servers."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from fraudlake.demo.traffic import Truth
    from fraudlake.demo.watch import Seen, SeenAlert
    from pipelines.producer import Produced
    from pipelines.settings import Settings

SHOWN_ALERTS = 12
OUTCOME_SECONDS = 60.0
BALANCE_SECONDS = 90.0


def register(app: typer.Typer) -> None:
    """Hang the command on the application."""
    app.command()(demo)


def demo(
    seconds: Annotated[int, typer.Option(min=5, help="How long to send traffic.")] = 30,
    seed: Annotated[int, typer.Option(help="The same seed, the same people and attacks.")] = 7,
    keep: Annotated[
        bool, typer.Option("--keep", envvar="KEEP", help="Leave the servers running.")
    ] = False,
) -> None:
    """Start everything, send labelled traffic, watch decisions and alerts, reconcile, stop.

    What ran before keeps running. Example: fraudlake demo --keep
    """
    from rich.console import Console

    from fraudlake.stack.lifecycle import start_stack
    from fraudlake.stack.progress import Progress
    from fraudlake.stack.shutdown import stop_stack
    from fraudlake.stack.status import read_status
    from pipelines.settings import Settings

    console = Console()
    begun = time.monotonic()
    wanted = Settings.from_env()
    ran_before = any(part.pid is not None for part in read_status(wanted).parts)
    try:
        console.rule("1. starting the real servers, the job and the sinks")
        with Progress(console) as progress:
            settings = start_stack(wanted, observer=progress)
        is_balanced = _show(console, settings, seconds=seconds, seed=seed, begun=begun)
        _show_next_steps(console, settings, stays=keep or ran_before)
    finally:
        if not keep and not ran_before:
            console.rule("stopping what was started")
            with Progress(console) as progress:
                stop_stack(wanted, observer=progress)
    if not is_balanced:
        raise typer.Exit(1)


def _show(console: Console, settings: Settings, *, seconds: int, seed: int, begun: float) -> bool:
    """Send, watch, sum up, reconcile; whether everything balances."""
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bar

    from fraudlake.demo.traffic import send_traffic
    from fraudlake.demo.watch import Watch
    from fraudlake.stopping import stop_on_signal

    console.rule(f"2. {seconds * 60 // 60} minutes of card traffic, 60 times as fast")
    shown = 0

    def on_alert(alert: SeenAlert) -> None:
        nonlocal shown
        shown += 1
        if shown <= SHOWN_ALERTS:
            bar.console.print(_alert_line(alert), soft_wrap=True, highlight=False)
        if shown == SHOWN_ALERTS:
            bar.console.print("  ... and so on; the rest is counted below")

    bar = Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[decided]:,} decided, {task.fields[alerts]:,} alerts"),
        TimeElapsedColumn(),
        console=console,
    )
    with bar, stop_on_signal() as should_stop:
        task = bar.add_task("sending", total=seconds, decided=0, alerts=0)
        watch = Watch(settings.kafka, on_alert=on_alert)

        def on_progress(produced: Produced) -> None:
            bar.update(
                task,
                completed=produced.seconds,
                decided=watch.seen.decisions,
                alerts=watch.seen.alerts,
            )

        watch_begun = time.monotonic()
        try:
            produced, truth = send_traffic(
                settings.kafka,
                seconds=seconds,
                seed=seed,
                now_ms=time.time_ns() // 1_000_000,
                on_progress=on_progress,
                should_stop=should_stop,
            )
            records = produced.transactions + produced.malformed + produced.repeats
            watch.await_outcomes(records, wait_seconds=OUTCOME_SECONDS)
            bar.update(
                task, completed=seconds, decided=watch.seen.decisions, alerts=watch.seen.alerts
            )
        finally:
            watch.close()
    console.rule("3. what became of it")
    _show_summary(console, produced, watch.seen, truth)
    if watch.seen.first_alert_s is not None:
        until = watch_begun - begun + watch.seen.first_alert_s
        console.print(f"first alert {until:.0f} s after the start, servers included")
    console.rule("4. reconciliation: everything exactly once?")
    return _reconcile(settings)


def _alert_line(alert: SeenAlert) -> str:
    colour = "red" if alert.band == "block" else "yellow"
    return (
        f"  [{colour}]{alert.band:<6}[/{colour}] {alert.card_id}  "
        f"{alert.money_at_risk:>9,.2f} {alert.currency}  {alert.because}"
    )


def _show_summary(console: Console, produced: Produced, seen: Seen, truth: Truth) -> None:
    from rich.table import Table

    table = Table(show_header=False, box=None)
    table.add_row("sent", f"{produced.transactions:,} transactions")
    table.add_row("", f"{produced.repeats} of them twice, {produced.malformed} broken records")
    table.add_row("decided", f"{seen.decisions:,} ({_counts(seen.bands)})")
    table.add_row("dead letters", f"{seen.dead_letters:,}")
    table.add_row("alerts", f"{seen.alerts:,}; rules fired: {_counts(seen.rules)}")
    for scenario, frauds in sorted(truth.frauds.items()):
        caught = len(frauds & seen.flagged)
        table.add_row(scenario.replace("_", " "), f"{caught} of {len(frauds)} payments flagged")
    flagged = len(truth.genuine & seen.flagged)
    share = flagged / max(1, len(truth.genuine))
    table.add_row("genuine", f"{flagged:,} of {len(truth.genuine):,} flagged ({share:.1%})")
    console.print(table)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or "none"


def _reconcile(settings: Settings) -> bool:
    from fraudlake.commands.reconcile import await_balance, is_balanced, show_findings

    findings = await_balance(settings, wait_seconds=BALANCE_SECONDS)
    show_findings(findings)
    return is_balanced(findings)


def _show_next_steps(console: Console, settings: Settings, *, stays: bool) -> None:
    console.rule("where to look next")
    if stays:
        console.print(f"Flink's own page     {settings.flink.rest_url}", highlight=False)
    else:
        console.print("Keep the servers with `KEEP=1 make demo` (or `fraudlake up`), then:")
    for command, about in (
        ("fraudlake alerts", "the newest alerts, each with the sentence that explains it"),
        ('fraudlake sql "select band, count(*) from decisions group by 1"', "history by SQL"),
        ("fraudlake produce --duration 1m", "more traffic"),
        ("fraudlake rules list", "the rules; docs/rules.md says how to write your own"),
        ("fraudlake status", "what runs, where, and how much memory it takes"),
    ):
        console.print(f"[bold]{command}[/bold]\n    {about}", highlight=False, soft_wrap=True)
