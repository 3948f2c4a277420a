"""`fraudlake replay`: a file of your own transactions, in your own layout, as a stream."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path  # noqa: TC003 - typer reads the annotations at run time
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.pacing import Pace
    from pipelines.replay.mapping import RowMapping
    from pipelines.replay.player import Destination, Replayed
    from pipelines.replay.preview import Preview
    from pipelines.replay.sources import FileLayout


def register(app: typer.Typer) -> None:
    """Hang the command on the application."""
    app.command(name="replay")(replay_file)


def replay_file(
    file: Annotated[Path, typer.Argument(help="CSV, JSON lines or Parquet.")],
    *,
    mapping: Annotated[
        Path, typer.Option("--mapping", "-m", help="TOML file that says what the columns mean.")
    ],
    speed: Annotated[
        str, typer.Option(help="By event time: 1x, 10x, or max for as fast as possible.")
    ] = "max",
    start_at: Annotated[
        str | None,
        typer.Option(help="Move all event times so that the first lands here: now, or a time."),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Read so many rows only.")] = None,
    rejects: Annotated[
        Path | None,
        typer.Option(help="Where rejected rows go.", show_default="FILE.rejects.jsonl"),
    ] = None,
    allow_rejects: Annotated[
        bool, typer.Option("--allow-rejects", help="Exit with 0 though rows were rejected.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Map and check everything, send nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Send a file of transactions as if they happened again.

    Try it dry first: [bold]fraudlake replay docs/examples/bank_history.csv -m
    docs/examples/bank_history.toml --dry-run[/bold]. Then live, ten times as fast as it happened:
    [bold]--speed 10x[/bold]. Each row becomes a transaction or a line of the rejects file.
    """
    from functools import partial

    from fraudlake.stopping import stop_on_signal
    from pipelines.fx import load_fx
    from pipelines.pacing import Pace
    from pipelines.replay.mapping_file import load_mapping
    from pipelines.replay.preview import Preview

    pace = Pace(speed=None if dry_run else _parse_speed(speed), clock=time.monotonic)
    start_ms = None if start_at is None else _parse_start(start_at)
    rates = load_fx().rates
    row_mapping = load_mapping(mapping, currencies=rates)
    layout = _layout(file, row_mapping)
    rejects_path = file.with_name(f"{file.name}.rejects.jsonl") if rejects is None else rejects
    if rejects_path.resolve() == file.resolve():
        msg = "must be another file than the one that is replayed"
        raise typer.BadParameter(msg, param_hint="--rejects")
    preview = Preview() if dry_run else None
    with stop_on_signal() as should_stop:
        replayed = _run(
            file,
            row_mapping,
            layout,
            connect=partial(_connect, rates, preview),
            rejects_path=rejects_path,
            pace=pace,
            start_ms=start_ms,
            limit=limit,
            should_stop=should_stop,
        )
    if as_json:
        typer.echo(json.dumps(_summary(replayed, rejects_path)))
    else:
        _print_summary(replayed, rejects_path, preview)
    if replayed.failed or (replayed.rejected and not allow_rejects):
        raise typer.Exit(1)


def _connect(rates: Any, preview: Preview | None) -> Destination:
    from pipelines.kafka import create_topics
    from pipelines.replay.player import Destination
    from pipelines.sender import KafkaSender
    from pipelines.settings import Settings

    kafka = Settings.from_env().kafka
    if preview is None:
        create_topics(kafka, kafka.topics().all())
    return Destination(
        sender=KafkaSender(kafka) if preview is None else preview,
        topic=kafka.topics().transactions.name,
        currencies=rates,
        now_ms=lambda: time.time_ns() // 1_000_000,
    )


def _run(
    file: Path,
    mapping: RowMapping,
    layout: FileLayout,
    *,
    connect: Callable[[], Destination],
    rejects_path: Path,
    pace: Pace,
    start_ms: int | None,
    limit: int | None,
    should_stop: Callable[[], bool],
) -> Replayed:
    from itertools import islice

    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    from pipelines.replay.mapping_file import check_columns
    from pipelines.replay.player import replay
    from pipelines.replay.rejects import Rejects
    from pipelines.replay.sources import open_source

    source = open_source(file, layout)
    progress = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[facts]}"),
        TimeElapsedColumn(),
        console=Console(stderr=True),
    )
    try:
        check_columns(mapping, source.columns, file)
        destination = connect()  # what is wrong with the files is told first
        rejects = Rejects(rejects_path)
        with progress:
            task = progress.add_task(file.name, total=1.0, facts="")

            def show(so_far: Replayed) -> None:
                part = source.fraction_read() if limit is None else so_far.rows / limit
                progress.update(task, completed=part, facts=_facts(so_far))

            try:
                return replay(
                    islice(source.rows, limit),
                    mapping,
                    destination,
                    rejects,
                    pace=pace,
                    start_ms=start_ms,
                    on_progress=show,
                    should_stop=should_stop,
                )
            finally:
                rejects.close()
    finally:
        source.close()


def _layout(file: Path, mapping: RowMapping) -> FileLayout:
    from pipelines.replay.sources import FileLayout, guess_format

    guessed = guess_format(file) if mapping.format is None else mapping.format
    if guessed is None:
        msg = f"{file.name} does not tell its format; set format under [source] in the mapping"
        raise typer.BadParameter(msg, param_hint="FILE")
    return FileLayout(
        format=guessed,
        delimiter=mapping.delimiter,
        quote=mapping.quote,
        encoding=mapping.encoding,
    )


def _parse_speed(text: str) -> float | None:
    from pipelines.pacing import parse_speed

    try:
        return parse_speed(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--speed") from error


def _parse_start(text: str) -> int:
    from pipelines.contracts.times import parse_time

    if text == "now":
        return time.time_ns() // 1_000_000
    try:
        return parse_time(text)
    except ValueError as error:
        msg = f"{text!r} ({error}) - must be now, or a time such as 2026-03-01T00:00:00Z"
        raise typer.BadParameter(msg, param_hint="--start-at") from error


def _facts(replayed: Replayed) -> str:
    rejected = sum(replayed.rejected.values())
    per_second = replayed.sent / replayed.seconds if replayed.seconds > 0 else 0.0
    return (
        f"{replayed.rows:,} rows · {replayed.sent:,} sent · {per_second:,.0f}/s"
        + (f" · [yellow]{rejected:,} rejected[/yellow]" if rejected else "")
        + (f" · [red]{replayed.failed:,} failed[/red]" if replayed.failed else "")
    )


def _summary(replayed: Replayed, rejects_path: Path) -> dict[str, Any]:
    from pipelines.contracts.times import format_time

    summary = asdict(replayed)
    for name in ("first", "last"):
        time_ms = summary.pop(f"{name}_ms")
        summary[f"{name}_event_time"] = None if time_ms is None else format_time(time_ms)
    summary["rejects_file"] = str(rejects_path) if replayed.rejected else None
    return summary


def _print_summary(replayed: Replayed, rejects_path: Path, preview: Preview | None) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from pipelines.contracts.faults import FaultReason

    console = Console(highlight=False, emoji=False)
    for value in [] if preview is None else preview.first:
        console.print(escape(value.decode()), soft_wrap=True)
    summary = _summary(replayed, rejects_path)
    table = Table(show_header=False, box=None)
    table.add_row("rows", f"{replayed.rows:,}")
    table.add_row("sent" if preview is None else "would be sent", f"{replayed.sent:,}")
    for reason, number in replayed.rejected.items():
        table.add_row(f"rejected: {reason}", f"{number:,}")
    if replayed.sent:
        span = f"{summary['first_event_time']} to {summary['last_event_time']}"
        table.add_row("event times", span)
    console.print(table)
    if replayed.rejected:
        console.print(f"rejected rows are in {escape(str(rejects_path))}", soft_wrap=True)
    if FaultReason.EVENT_TIME_IN_FUTURE in replayed.rejected:
        console.print("times ran ahead of the clock: use --speed 1x, or an earlier --start-at")
    if replayed.is_stopped:
        console.print("stopped; every row read is accounted for")
    if replayed.failed:
        console.print(f"[red]failed:[/red] {replayed.failed:,}; the last: {replayed.last_failure}")
