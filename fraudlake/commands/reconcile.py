"""``fraudlake reconcile``: is everything that came in, decided and stored exactly once?"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.settings import Settings
    from sinks.reconciliation.judgement import Finding

POLL_SECONDS = 1.0
COLUMNS = {
    "expected": "wanted",
    "found": "found",
    "distinct": "unique",
    "missing": "missing",
    "doubled": "twice",
    "unexpected": "extra",
}


def register(app: typer.Typer) -> None:
    """Hang the command on the application."""
    app.command()(reconcile)


def reconcile(
    wait: Annotated[
        float, typer.Option(min=0, help="Give records on their way this many seconds.")
    ] = 30.0,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Count input, decisions, dead letters, Iceberg rows, alerts and documents against each other.

    The input counts up to where it ends when the command begins; more may come meanwhile. Exit
    code 1 when something is missing, doubled or unexpected; the first places (partition:offset of
    the input) and alert ids are named. Alerts of a month that somebody has closed cannot be judged;
    that is said, and is no fault. Example: fraudlake reconcile --wait 60
    """
    from pipelines.settings import Settings

    findings = await_balance(Settings.from_env(), wait_seconds=wait)
    if as_json:
        answer = {"balanced": is_balanced(findings), "findings": [asdict(f) for f in findings]}
        typer.echo(json.dumps(answer))
    else:
        show_findings(findings)
    if not is_balanced(findings):
        raise typer.Exit(1)


def await_balance(settings: Settings, *, wait_seconds: float) -> Sequence[Finding]:
    """Reconcile what the input holds now until it balances or the time is up; the last findings."""
    from rich.console import Console

    from sinks.reconciliation.evidence import gather, read_input
    from sinks.reconciliation.judgement import judge

    deadline = time.monotonic() + wait_seconds
    with Console(stderr=True).status("reading the input") as status:

        def show_progress(what: str, records: int) -> None:
            status.update(f"reading {what}: {records:,}")

        transactions = read_input(settings, show_progress)
        findings = judge(gather(settings, transactions, show_progress))
        while not is_balanced(findings) and time.monotonic() < deadline:
            status.update("some records are still on their way")
            time.sleep(POLL_SECONDS)
            findings = judge(gather(settings, transactions, show_progress))
    return findings


def is_balanced(findings: Sequence[Finding]) -> bool:
    """True when every comparison holds."""
    return all(finding.is_balanced for finding in findings)


def show_findings(findings: Sequence[Finding]) -> None:
    """The findings as a table, and what is wrong below it."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))  # fits a terminal of 80 columns
    table.add_column("", no_wrap=True)
    for heading in COLUMNS.values():
        table.add_column(heading, justify="right", no_wrap=True)
    for finding in findings:
        mark = "[green]✓[/green]" if finding.is_balanced else "[red]✗[/red]"
        figures = (f"{getattr(finding, name):,}" for name in COLUMNS)
        table.add_row(f"{mark} {finding.what}", *figures)
    console.print(table)
    for finding in findings:
        if not finding.is_balanced:
            faults = finding.missing + finding.doubled + finding.unexpected
            more = f", and {faults - len(finding.examples):,} more"
            named = ", ".join(finding.examples) + (more if faults > len(finding.examples) else "")
            console.print(f"[red]{finding.what}[/red]: {named}", highlight=False, soft_wrap=True)
    notes = [finding.note for finding in findings if finding.note]
    for note in notes:
        console.print(f"[yellow]{note}[/yellow]", highlight=False, soft_wrap=True)
    if not any(getattr(finding, name) for finding in findings for name in COLUMNS):
        console.print("[yellow]nothing has come in yet: there was nothing to compare[/yellow]")
    elif is_balanced(findings):
        what = "everything that can be seen" if notes else "everything that came in"
        console.print(f"[green]{what} was decided and stored exactly once[/green]")
