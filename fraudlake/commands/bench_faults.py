"""``fraudlake bench faults``: kill the servers while the job decides, and count what is left."""

from __future__ import annotations

import json
import secrets
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from bench.faults.run import FaultReport
    from bench.faults.traffic import FaultLoad


def faults(
    *,
    records: Annotated[int, typer.Option(min=1000, help="How many transactions.")] = 1_000_000,
    kills: Annotated[int, typer.Option(min=0, help="0: only decide the same topic twice.")] = 10,
    seed: Annotated[int | None, typer.Option(help="Of records and kills; else drawn.")] = None,
    rate: Annotated[
        float | None, typer.Option(min=1, help="Records a second, sent during the kills; else all.")
    ] = None,
    ruleset: Annotated[str, typer.Option(help="Which rule set decides.")] = "baseline",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Kill TaskManager, JobManager and broker while a job decides, and decide again undisturbed.

    Exit code 1 unless every record was decided once, and both times with the same bytes. Needs the
    servers (`fraudlake up --servers`). Example: fraudlake bench faults --records 100000 --kills 3
    """
    from rich.console import Console

    from bench.faults.run import run_fault_bench
    from bench.faults.traffic import FaultLoad, span_ms
    from fraudlake.commands.bench_progress import step_bars
    from fraudlake.job.local_operator import LocalOperator
    from pipelines.settings import Settings

    settings = Settings.from_env()
    load = FaultLoad(
        records=records,
        seed=secrets.randbelow(1_000_000) if seed is None else seed,
        rate=rate,
        start_ms=time.time_ns() // 1_000_000 - span_ms(records),
    )
    with step_bars() as bars:
        bars.console.print(f"seed {load.seed}")
        report = run_fault_bench(
            settings,
            load,
            kills=kills,
            ruleset=ruleset,
            operator=LocalOperator(settings),
            on_progress=bars,
            say=bars.console.print,
        )
    if as_json:
        facts = {"well": report.is_well, "kills_by_victim": report.kills_by_victim}
        typer.echo(json.dumps({**asdict(report), **facts}))
    else:
        _show(report, Console())
    if not report.is_well:
        raise typer.Exit(1)


def _show(report: FaultReport, console: Console) -> None:
    from rich.table import Table

    console.print(_describe(report.load), highlight=False, soft_wrap=True)
    table = Table()
    for title in ("", "under kills" if report.wanted_kills else "first job", "second job"):
        table.add_column(title, justify="right" if title else "left")
    killed, replayed = report.killed, report.replayed
    rows = {
        "records of the input": (report.input_records, report.input_records),
        "kills": (len(report.kills), 0),
        **{f"  {name}": (count, 0) for name, count in report.kills_by_victim.items()},
        "restores": (report.restores, 0),
        "decisions": (killed.decisions, replayed.decisions),
        "dead letters": (killed.letters, replayed.letters),
        "alert revisions": (killed.alerts, replayed.alerts),
        "missing": (killed.missing, replayed.missing),
        "decided twice": (killed.doubled, replayed.doubled),
        "alerts twice": (killed.doubled_alerts, replayed.doubled_alerts),
        "not of this input": (killed.strangers, replayed.strangers),
        "seconds": (round(report.killed_seconds), round(report.replayed_seconds)),
    }
    for name, counts in rows.items():
        table.add_row(name, *(f"{count:,}" for count in counts))
    console.print(table)
    found = report.differences
    console.print(
        f"different: {found.records:,} records, {found.alerts:,} alert revisions; by order of "
        f"arrival: {found.explained:,} and {found.explained_alerts:,}",
        soft_wrap=True,
    )
    for name, count in found.members.items():
        console.print(f"  {name}: {count:,}", highlight=False)
    if found.reworded > 0:
        console.print(f"dead letters that say the same in other words: {found.reworded:,}")
    if report.held_back > 0:
        console.print(f"[red]{report.held_back:,} offsets hidden by an open transaction[/]")
    if len(report.kills) < report.wanted_kills:
        console.print(f"[red]only {len(report.kills)} of {report.wanted_kills} kills struck[/]")
    for line in (*killed.first, *replayed.first, *found.first):
        console.print(f"  {line}", highlight=False, soft_wrap=True)
    same = "and the same" if found.records == 0 else "and what differs came in another order"
    console.print(f"[green]every record once, {same}[/]" if report.is_well else "[red]off[/]")


def _describe(load: FaultLoad) -> str:
    pace = "at full speed" if load.rate is None else f"at {load.rate:,.0f} a second"
    return (
        f"{load.records:,} transactions, {load.repeats:,} repeats, {load.poison:,} broken records, "
        f"{pace}, seed {load.seed}"
    )
