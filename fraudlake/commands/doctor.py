"""`fraudlake doctor`: is everything here that the stack, the job and the sinks need?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from fraudlake.stack.checkup import Finding

_MARKS = {"ok": "[green]✓[/]", "note": "[yellow]![/]", "missing": "[red]✗[/]"}


def register(app: typer.Typer) -> None:
    """Hang the command on the application."""
    app.command()(doctor)


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="For a machine to read.")] = False,
) -> None:
    """Look at what Fraudlake needs, and show the command that brings what is missing.

    Changes nothing. Exit code 1 if something needed is missing.

    Example: fraudlake doctor
    """
    import os

    from rich.console import Console

    from fraudlake.stack.checkup import examine
    from pipelines.settings import Settings

    findings = examine(Settings.from_env(), os.environ)
    healthy = all(finding.level != "missing" for finding in findings)
    console = Console()
    if as_json:
        lines = [finding.as_json() for finding in findings]
        console.print_json(data={"is_healthy": healthy, "checks": lines})
    else:
        console.print(_table(findings))
        verdict = "All is there. Next: `make demo`" if healthy else "Something needed is missing."
        console.print(verdict, highlight=False)
    raise typer.Exit(0 if healthy else 1)


def _table(findings: list[Finding]) -> Table:
    from rich.markup import escape
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column()
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        text = escape(finding.detail)
        if finding.remedy != "":
            text += f"\n[bold]{escape(finding.remedy)}[/]"
        table.add_row(_MARKS[finding.level], finding.what, text)
    return table
