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
    from sinks.reconciliation.counts import Finding

POLL_SECONDS = 1.0


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

    Exit code 1 when something is missing or doubled; the first places and ids are named, as
    partition:offset. Example: fraudlake reconcile --wait 60
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
    """Reconcile until everything balances or the time is up; the last findings."""
    from rich.console import Console

    from sinks.reconciliation.counts import judge
    from sinks.reconciliation.evidence import gather

    deadline = time.monotonic() + wait_seconds
    with Console(stderr=True).status("reading the topics, the table and the index"):
        findings = judge(gather(settings))
        while not is_balanced(findings) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
            findings = judge(gather(settings))
    return findings


def is_balanced(findings: Sequence[Finding]) -> bool:
    """True when every comparison holds."""
    return all(finding.is_balanced for finding in findings)


def show_findings(findings: Sequence[Finding]) -> None:
    """The findings as a table, and what is wrong below it."""
    from rich.console import Console
    from rich.table import Table

    console = Console()
    table = Table(title="Reconciliation")
    table.add_column("")
    for name in ("expected", "found", "missing", "doubled"):
        table.add_column(name, justify="right")
    for finding in findings:
        mark = "[green]✓[/green]" if finding.is_balanced else "[red]✗[/red]"
        table.add_row(
            f"{mark} {finding.what}",
            f"{finding.expected:,}",
            f"{finding.found:,}",
            f"{finding.missing:,}",
            f"{finding.doubled:,}",
        )
    console.print(table)
    for finding in findings:
        if not finding.is_balanced:
            console.print(f"[red]{finding.what}[/red]: {', '.join(finding.examples)}")
    if is_balanced(findings):
        console.print("[green]everything that came in was decided and stored exactly once[/green]")
