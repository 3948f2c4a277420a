"""`fraudlake produce`: a plausible stream of transactions with honest fraud in it."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Console

    from pipelines.generator import GeneratorOptions
    from pipelines.generator.disturbances import Disturbances
    from pipelines.pacing import Pace
    from pipelines.producer import Produced

SETTLE_MS = 1000
SETTLE_MS_PER_CARD = 0.06
"""How long making and sending the profiles takes, before a live stream can begin."""


def register(app: typer.Typer) -> None:
    """Hang the command on the application."""
    app.command(name="produce")(produce_stream)


def produce_stream(
    *,
    rate: Annotated[
        float, typer.Option(min=0.001, help="Transactions a second of event time.")
    ] = 200.0,
    cards: Annotated[
        int, typer.Option(min=1, help="About 100 for each transaction a second look natural.")
    ] = 20_000,
    fraud_rate: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="Share of fraudulent transactions.")
    ] = 0.01,
    seed: Annotated[
        int, typer.Option(help="The same seed and --start-at give the same bytes.")
    ] = 7,
    count: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many transactions.")
    ] = None,
    duration: Annotated[
        str | None, typer.Option(help="Stop after so much event time: 30s, 5m, 2h, 7d.")
    ] = None,
    label_delay: Annotated[
        str, typer.Option(help="Labels follow half to one and a half of it later.")
    ] = "1h",
    all_labels: Annotated[
        bool, typer.Option("--all-labels", help="At the end, send the labels not yet due, too.")
    ] = False,
    speed: Annotated[
        str, typer.Option(help="1x is live, 10x is ten times as fast, max as fast as possible.")
    ] = "1x",
    start_at: Annotated[
        str, typer.Option(help="Event time of the beginning, such as 2026-03-01T00:00:00Z.")
    ] = "now",
    malformed: Annotated[
        int, typer.Option(min=0, help="So many broken records in between, of every kind.")
    ] = 0,
    repeats: Annotated[
        int, typer.Option(min=0, help="So many transactions are sent a second time.")
    ] = 0,
    late: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share held back by up to five seconds.")
    ] = 0.0,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Send a plausible stream of transactions: customers first, then payments, then labels.

    People shop by day, near home, and travel no faster than they can; about one transaction in a
    hundred belongs to an attack. Which one is said by labels alone, later.

    Example: [bold]fraudlake produce --duration 30s[/bold]. To fill history quickly:
    [bold]fraudlake produce --speed max --count 500000 --rate 20 --all-labels[/bold]; the stream
    then ends now. To see dead letters: [bold]--malformed 20 --repeats 20[/bold].
    """
    from rich.console import Console

    from fraudlake.stopping import stop_on_signal
    from pipelines.generator import GeneratorOptions
    from pipelines.generator.disturbances import Disturbances
    from pipelines.pacing import Pace

    pace = Pace(speed=_parse_speed(speed), clock=time.monotonic)
    duration_ms = None if duration is None else _parse_span(duration, "--duration")
    begin_ms = _begin(start_at, pace.speed, _span_ms(count, duration_ms, rate), cards)
    if start_at == "now" and pace.speed is not None:
        # A live stream keeps to the clock on the wall: an event is sent when it happens.
        pace.start_at(begin_ms, time.monotonic() + _settling_ms(cards) / 1000)
    options = GeneratorOptions(
        seed=seed,
        start_ms=begin_ms,
        cards=cards,
        rate=rate,
        fraud_rate=fraud_rate,
        label_delay_ms=_parse_span(label_delay, "--label-delay"),
        all_labels=all_labels,
        count=count,
        duration_ms=duration_ms,
    )
    disturbances = Disturbances(malformed=malformed, repeats=repeats, late_share=late)
    console = Console(stderr=True)
    with stop_on_signal() as should_stop:
        produced = _run(options, disturbances, pace, console, should_stop)
    if as_json:
        typer.echo(json.dumps(_summary(produced)))
    else:
        _print_summary(produced)
    if produced.failed:
        raise typer.Exit(1)


def _run(
    options: GeneratorOptions,
    disturbances: Disturbances,
    pace: Pace,
    console: Console,
    should_stop: Callable[[], bool],
) -> Produced:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from pipelines.generator import generate
    from pipelines.generator.disturbances import disturb
    from pipelines.kafka import create_topics
    from pipelines.producer import produce
    from pipelines.sender import KafkaSender
    from pipelines.settings import Settings

    kafka = Settings.from_env().kafka
    create_topics(kafka, kafka.topics().all())
    emissions = disturb(
        generate(options), disturbances, seed=options.seed, count=_expected(options)
    )
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[facts]}"),
        TimeElapsedColumn(),
        console=console,
    )
    with progress:
        task = progress.add_task("produce", total=_expected(options), facts="customers")

        def show(so_far: Produced) -> None:
            progress.update(task, completed=so_far.transactions, facts=_facts(so_far))

        return produce(
            emissions,
            KafkaSender(kafka),
            kafka.topics(),
            pace=pace,
            on_progress=show,
            should_stop=should_stop,
        )


def _expected(options: GeneratorOptions) -> int | None:
    """About how many transactions there will be."""
    if options.duration_ms is None:
        return options.count
    by_time = max(1, int(options.rate * options.duration_ms / 1000))
    return by_time if options.count is None else min(by_time, options.count)


def _span_ms(count: int | None, duration_ms: int | None, rate: float) -> int | None:
    spans = [] if count is None else [int(count / rate * 1000)]
    spans += [] if duration_ms is None else [duration_ms]
    return min(spans, default=None)


def _begin(start_at: str, speed: float | None, span_ms: int | None, cards: int) -> int:
    """The event time to begin with; a stream that runs ahead of the clock ends now."""
    now_ms = time.time_ns() // 1_000_000
    is_endless = span_ms is None
    if speed != 1 and is_endless:
        msg = "an endless stream runs at 1x; give --count or --duration"
        raise typer.BadParameter(msg, param_hint="--speed")
    if start_at != "now":
        return _parse_start(start_at, now_ms)
    ahead = 1.0 if speed is None else max(0.0, 1 - 1 / speed)
    return now_ms + (0 if speed is None else _settling_ms(cards)) - int((span_ms or 0) * ahead)


def _settling_ms(cards: int) -> int:
    return SETTLE_MS + int(cards * SETTLE_MS_PER_CARD)


def _parse_start(text: str, now_ms: int) -> int:
    from pipelines.contracts.times import parse_time

    try:
        start_ms = parse_time(text)
    except ValueError as error:
        msg = f"{text!r} ({error}) - must be now, or a time such as 2026-03-01T00:00:00Z"
        raise typer.BadParameter(msg, param_hint="--start-at") from error
    if start_ms > now_ms:
        msg = f"{text} is in the future, where no transaction is accepted"
        raise typer.BadParameter(msg, param_hint="--start-at")
    return start_ms


def _parse_speed(text: str) -> float | None:
    from pipelines.pacing import parse_speed

    try:
        return parse_speed(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--speed") from error


def _parse_span(text: str, option: str) -> int:
    from pipelines.pacing import parse_span

    try:
        return parse_span(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=option) from error


def _facts(produced: Produced) -> str:
    failed = sum(produced.failed.values())
    per_second = produced.transactions / produced.seconds if produced.seconds > 0 else 0.0
    return (
        f"{produced.transactions:,} sent · {per_second:,.0f}/s · "
        f"{sum(produced.frauds.values()):,} frauds · {produced.labels:,} labels"
        + (f" · [red]{failed:,} failed[/red]" if failed else "")
    )


def _summary(produced: Produced) -> dict[str, Any]:
    from pipelines.contracts.times import format_time

    summary = asdict(produced)
    for name in ("first", "last"):
        time_ms = summary.pop(f"{name}_ms")
        summary[f"{name}_event_time"] = None if time_ms is None else format_time(time_ms)
    return summary


def _print_summary(produced: Produced) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_header=False, box=None)
    frauds = sum(produced.frauds.values())
    named = ", ".join(f"{name} {number:,}" for name, number in produced.frauds.items())
    table.add_row("customers", f"{produced.customers:,}")
    table.add_row("transactions", f"{produced.transactions:,}")
    table.add_row("of them fraud", f"{frauds:,}" + (f" ({named})" if named else ""))
    table.add_row("labels", f"{produced.labels:,}")
    if produced.malformed or produced.repeats:
        table.add_row("broken / repeated", f"{produced.malformed:,} / {produced.repeats:,}")
    for topic, number in sorted(produced.acknowledged.items()):
        table.add_row(f"in topic {topic}", f"{number:,}")
    console = Console(highlight=False)
    console.print(table)
    if produced.is_stopped:
        console.print("stopped; everything sent is accounted for")
    if produced.failed:
        failed = ", ".join(f"{topic} {number:,}" for topic, number in produced.failed.items())
        console.print(f"[red]failed:[/red] {failed}; the last: {produced.last_failure}")
