"""``fraudlake bench``: how fast it is, on this machine, against a yardstick of the same run."""

from __future__ import annotations

import json
from dataclasses import asdict
from enum import Enum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer

from fraudlake.commands.bench_alerts import alerts
from fraudlake.commands.bench_dagster import dagster
from fraudlake.commands.bench_faults import faults
from fraudlake.commands.bench_lake import lake
from fraudlake.commands.bench_latency import latency

if TYPE_CHECKING:
    from bench.stream import StreamBenchmark


class Backend(Enum):
    """The words of the setting ``state_backend``."""

    HASHMAP = "hashmap"
    ROCKSDB = "rocksdb"


bench = typer.Typer(
    name="bench",
    help="Benchmarks: every figure beside a yardstick measured in the same run.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Hang the commands on the application."""
    bench.command()(latency)
    bench.command()(faults)
    bench.command()(lake)
    bench.command()(alerts)
    bench.command()(dagster)
    app.add_typer(bench)


@bench.command()
def stream(
    *,
    records: Annotated[int, typer.Option(min=100_000, help="How many transactions.")] = 3_000_000,
    cards: Annotated[int, typer.Option(min=1, help="On how many cards.")] = 50_000,
    zipf: Annotated[float, typer.Option(min=0.0, help="Skew over cards; 0 is uniform.")] = 1.1,
    uses_per_day: Annotated[
        float, typer.Option(min=0.01, help="Of a card on average, in event time.")
    ] = 2.0,
    ruleset: Annotated[str, typer.Option(help="Which rule set decides.")] = "classic",
    entity: Annotated[
        list[str] | None,
        typer.Option(help="Only rules on the histories of this one; again for more."),
    ] = None,
    backend: Annotated[
        list[Backend] | None,
        typer.Option(help="Where state is kept; again to compare. Else as set."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Same seed, same records.")] = 7,
    with_loop: Annotated[
        bool, typer.Option("--with-loop", help="A plain Python loop on the same topic, too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Records a second of the job, beside a job that passes the same bytes through.

    Needs the servers (`fraudlake up --servers`) and a quiet machine.
    """
    from bench.rule_choice import write_choice
    from bench.stream import Load, run_stream_benchmark
    from fraudlake.commands.bench_progress import step_bars
    from fraudlake.job.submission import run_submission
    from fraudlake.stopping import interrupt_on_ending
    from pipelines.settings import Settings

    interrupt_on_ending()
    settings = Settings.from_env()
    with step_bars() as bars, TemporaryDirectory() as folder:
        chosen = str(write_choice(ruleset, entity, Path(folder))) if entity else ruleset
        result = run_stream_benchmark(
            settings,
            Load(records=records, cards=cards, zipf=zipf, seed=seed, uses_per_day=uses_per_day),
            ruleset=chosen,
            backends=[one.value for one in backend or ()] or [settings.flink.state_backend],
            submit=run_submission,
            on_progress=bars,
            with_loop=with_loop,
        )
    if as_json:
        typer.echo(json.dumps({**asdict(result), "shares": result.shares}))
    else:
        _show(result)


def _show(result: StreamBenchmark) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(
        title=f"{result.load.records:,} transactions of {result.bytes_per_record:.0f} bytes on "
        f"{result.load.cards:,} cards",
        caption="CPU: of a record, the whole machine's; share: of the rate of pass-through; "
        "saved in: a checkpoint, the median; state: all that the last one holds",
    )
    table.add_column("job", no_wrap=True)
    table.add_column("records/s", justify="right")
    table.add_column("CPU µs", justify="right")
    table.add_column("share", justify="right")
    table.add_column("saved in", justify="right")
    table.add_column("state MB", justify="right")
    loop = [] if result.python_loop is None else [result.python_loop]
    for rate in (result.pass_through, *result.fraud_detection.values(), *loop):
        table.add_row(
            rate.job,
            f"{rate.records_per_second:,.0f}",
            f"{rate.cpu_us_per_record:.1f}",
            f"{rate.records_per_second / result.pass_through.records_per_second:.1%}",
            "" if rate.checkpoint_ms is None else f"{rate.checkpoint_ms:,.0f} ms",
            "" if rate.state_bytes is None else f"{rate.state_bytes / 1e6:,.1f}",
        )
    Console().print(table)
    Console().print(f"flagged: {result.flagged / result.load.records:.1%} of the transactions")
