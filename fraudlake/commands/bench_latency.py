"""``fraudlake bench latency``: from a transaction sent to its decision readable."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bench.latency import LatencyBenchmark, Spread

TARGET_P50_MS = 800
TARGET_P99_MS = 1600


def latency(
    *,
    rate: Annotated[float, typer.Option(min=1.0, help="Transactions a second.")] = 2000.0,
    seconds: Annotated[int, typer.Option(min=5, help="How long, besides the warm-up.")] = 60,
    interval_ms: Annotated[
        list[int] | None,
        typer.Option(help="Between checkpoints; give it again for more runs. [default: 1000]"),
    ] = None,
    cards: Annotated[int, typer.Option(min=1, help="On how many cards.")] = 20_000,
    ruleset: Annotated[str, typer.Option(help="Which rule set decides.")] = "baseline",
    seed: Annotated[int, typer.Option(help="Same seed, same records.")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """From the moment a transaction is due to the moment its committed decision can be read.

    Needs the servers (`fraudlake up --servers`) and a quiet machine.

    Example: fraudlake bench latency --interval-ms 200 --interval-ms 1000 --interval-ms 10000
    """
    from bench.latency import LatencyLoad, run_latency_benchmark
    from fraudlake.commands.bench_progress import step_bars
    from fraudlake.job.submission import run_submission
    from pipelines.settings import Settings

    with step_bars() as bars:
        result = run_latency_benchmark(
            Settings.from_env(),
            LatencyLoad(rate=rate, seconds=seconds, cards=cards, seed=seed),
            intervals_ms=interval_ms or [1000],
            ruleset=ruleset,
            submit=run_submission,
            on_progress=bars,
        )
    if as_json:
        typer.echo(json.dumps(asdict(result)))
    else:
        _show(result)


def _show(result: LatencyBenchmark) -> None:
    from rich.console import Console
    from rich.table import Table

    load = result.load
    table = Table(
        title=f"{load.rate:,.0f} transactions a second for {load.seconds} s, {result.ruleset}"
    )
    table.add_column("from due to readable")
    for title in ("p50", "p95", "p99", "max", "in the job p50 / p99", "sender p99"):
        table.add_column(title, justify="right")
    table.add_row("no job between", *_times(result.yardstick))
    for run in result.runs:
        inside = f"{_text(run.decide_p50_ms)} / {_text(run.decide_p99_ms)}"
        label = f"checkpoints of {run.interval_ms:,} ms"
        late = f"{run.sender_late.p99_ms:.1f} ms"
        table.add_row(label, *_times(run.committed), inside, late)
    console = Console(highlight=False)
    console.print(table)
    for run in result.runs:
        if run.interval_ms == 1000:
            is_met = run.committed.p50_ms <= TARGET_P50_MS and run.committed.p99_ms <= TARGET_P99_MS
            word = "met" if is_met else "missed"
            console.print(f"target p50 {TARGET_P50_MS} ms, p99 {TARGET_P99_MS} ms: {word}")


def _times(spread: Spread) -> list[str]:
    times = (spread.p50_ms, spread.p95_ms, spread.p99_ms, spread.max_ms)
    return [f"{time:,.0f} ms" for time in times]


def _text(value: int | None) -> str:
    return "-" if value is None else f"{value} ms"
