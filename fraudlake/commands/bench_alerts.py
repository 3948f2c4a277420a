"""``fraudlake bench alerts``: what the alert sink reaches, costs, and how soon a search finds."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bench.alerts import AlertBenchmark

TARGET_ALERTS = 3_000
TARGET_CPU_US = 50
TARGET_P99_MS = 2_000


def alerts(
    *,
    count: Annotated[
        int, typer.Option("--alerts", min=1000, help="How many alerts are indexed at once.")
    ] = 50_000,
    rate: Annotated[float, typer.Option(min=1.0, help="Alerts a second for the latency.")] = 50.0,
    seconds: Annotated[int, typer.Option(min=5, help="How long, besides the warm-up.")] = 60,
    seed: Annotated[int, typer.Option(help="Same seed, same records.")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Alerts a second into Elasticsearch, what they cost, and when a search finds them.

    Needs broker and index (`fraudlake up --servers`); topics and indices are its own and go
    afterwards.

    Example: fraudlake bench alerts --alerts 20000 --seconds 30
    """
    from rich.console import Console

    from bench.alerts import AlertLoad, run_alert_benchmark
    from pipelines.settings import Settings

    result = run_alert_benchmark(
        Settings.from_env(),
        AlertLoad(alerts=count, rate=rate, seconds=seconds, seed=seed),
        say=Console(stderr=True, highlight=False).print,
    )
    if as_json:
        typer.echo(json.dumps(asdict(result)))
    else:
        _show(result)


def _show(result: AlertBenchmark) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{result.load.alerts:,} alerts of {result.record_bytes:,.0f} B")
    for head in ("", "alerts a second", "client's CPU, µs each", "memory"):
        table.add_column(head, justify="left" if head == "" else "right")
    for name, cost in (("bulk helper alone", result.yardstick), ("the sink", result.sink)):
        table.add_row(
            name,
            f"{cost.alerts_a_second:,.0f}",
            f"{cost.cpu_us_each:.1f}",
            f"{cost.peak_mb:,.0f} MB",
        )
    console = Console(highlight=False)
    console.print(table)
    spread = result.searchable
    console.print(
        f"found by a search, at {result.load.rate:,.0f} alerts a second: p50 {spread.p50_ms:,.0f} "
        f"ms, p95 {spread.p95_ms:,.0f} ms, p99 {spread.p99_ms:,.0f} ms, max {spread.max_ms:,.0f} ms"
    )
    for target, is_met in (
        (f"{TARGET_ALERTS:,} alerts a second", result.sink.alerts_a_second >= TARGET_ALERTS),
        (f"{TARGET_CPU_US} µs each", result.sink.cpu_us_each <= TARGET_CPU_US),
        (f"found within {TARGET_P99_MS:,} ms at p99", spread.p99_ms <= TARGET_P99_MS),
    ):
        console.print(f"target {target}: {'met' if is_met else 'missed'}")
