"""``fraudlake bench lake``: what the sink, the commits and the questions cost."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from bench.lake.day import DayOfCommits
    from bench.lake.sink import SinkBenchmark
    from bench.lake.tables import TableBenchmark

TARGET_ROWS = 100_000
TARGET_COMMIT_MS = 150
TARGET_CARD_MS = 300
TARGET_GROUP_MS = 1000
TARGET_MEMORY_MB = 1000


def lake(
    *,
    records: Annotated[
        int, typer.Option(min=1000, help="How many decisions the sink stores from Kafka.")
    ] = 200_000,
    commits: Annotated[int, typer.Option(min=100, help="How many commits in a row.")] = 1000,
    rows: Annotated[
        int, typer.Option(min=100_000, help="How many decisions the questions go over.")
    ] = 10_000_000,
    no_kafka: Annotated[
        bool, typer.Option("--no-kafka", help="Leave out the sink; no server is needed.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Same seed, same records.")] = 7,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Sink, commits, questions and upkeep, on tables of its own that are deleted afterwards.

    Needs the broker (`fraudlake up --servers`), some 10 GB of disk, and minutes.

    Example: fraudlake bench lake --rows 1000000
    """
    from rich.console import Console

    from bench.lake.day import run_day_benchmark
    from bench.lake.sink import run_sink_benchmark
    from bench.lake.tables import run_table_benchmark
    from pipelines.settings import Settings

    settings = Settings.from_env()
    say = Console(stderr=True, highlight=False).print
    sink = None
    if not no_kafka:
        sink = run_sink_benchmark(settings, records=records, seed=seed, say=say)
    tables = run_table_benchmark(settings, rows=rows, commits=commits, seed=seed, say=say)
    day = run_day_benchmark(settings, seed=seed, say=say)
    if as_json:
        found = {
            "sink": None if sink is None else asdict(sink),
            "tables": asdict(tables),
            "day": asdict(day),
        }
        typer.echo(json.dumps(found, default=str))
        return
    if sink is not None:
        _show_sink(sink)
    _show_tables(tables)
    _show_day(day)


def _show_sink(result: SinkBenchmark) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"from Kafka to Parquet, decisions of {result.record_bytes:,.0f} B")
    for head in ("", "decisions", "rows a CPU second", "µs each", "memory"):
        table.add_column(head, justify="left" if head == "" else "right")
    for name, cost in (("plain Python", result.yardstick), ("the sink", result.sink)):
        table.add_row(
            name,
            f"{cost.records:,}",
            f"{cost.rows_a_cpu_second:,.0f}",
            f"{cost.cpu_s / cost.records * 1e6:.1f}",
            f"{cost.peak_mb:,.0f} MB",
        )
    console = Console(highlight=False)
    console.print(table)
    rows = result.sink.rows_a_cpu_second
    console.print(f"target {TARGET_ROWS:,} rows a CPU second: {_word(rows >= TARGET_ROWS)}")
    memory = result.sink.peak_mb
    console.print(f"target {TARGET_MEMORY_MB:,} MB: {_word(memory <= TARGET_MEMORY_MB)}")


def _show_tables(result: TableBenchmark) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    commit = result.commit
    console.print(
        f"a commit, CPU: {commit.first_ms:.0f} ms at first, {commit.last_ms:.0f} ms after "
        f"{commit.commits:,}; target {TARGET_COMMIT_MS} ms: "
        f"{_word(commit.last_ms <= TARGET_COMMIT_MS)}"
    )
    layouts = {"as the sink left it": result.small_files, "compacted": result.compacted}
    table = Table(title=f"{result.compacted.figures.rows:,} decisions")
    table.add_column("")
    for name in layouts:
        table.add_column(name, justify="right")
    each = list(layouts.values())
    table.add_row("files", *(f"{one.figures.files:,}" for one in each))
    table.add_row("MB", *(f"{one.figures.bytes / 1e6:,.0f}" for one in each))
    table.add_row("opening", *(f"{one.opening_ms:,.0f} ms" for one in each))
    for name in result.compacted.answers_ms:
        table.add_row(name, *(f"{one.answers_ms[name]:,.0f} ms" for one in each))
    console.print(table)
    console.print(f"compaction took {result.compaction_s:,.0f} s")
    answers = result.compacted.answers_ms
    card, group = answers["one card"] <= TARGET_CARD_MS, answers["group by"] <= TARGET_GROUP_MS
    console.print(
        f"target one card {TARGET_CARD_MS} ms: {_word(card)}, "
        f"group by {TARGET_GROUP_MS:,} ms: {_word(group)}"
    )


def _show_day(result: DayOfCommits) -> None:
    from rich.console import Console

    from fraudlake.commands.lake_figures import show_pairs

    show_pairs([(result.before, result.after)])
    console = Console(highlight=False)
    console.print(f"upkeep of a day of small commits took {result.upkeep_s:,.0f} s")


def _word(is_met: bool) -> str:
    return "met" if is_met else "missed"
