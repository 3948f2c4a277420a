"""`fraudlake dashboards`: Kibana's dashboards and alerting rules, as the code says they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import RenderableType

    from sinks.dashboards.catalog import Artifact

_app = typer.Typer(
    help="Kibana dashboards and alerting rules as code: list, diff, apply, write, show.",
    no_args_is_help=True,
)
AsJson = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


def register(app: typer.Typer) -> None:
    """Hang the command on the application."""
    app.add_typer(_app, name="dashboards")


@_app.command("list")
def list_(as_json: AsJson = False) -> None:
    """List what `apply` puts into Kibana; asks no server.

    Example: [bold]fraudlake dashboards list[/bold]
    """
    from rich.table import Table

    from pipelines.settings import Settings
    from sinks.dashboards.catalog import artifacts

    found = artifacts(Settings.from_env())
    if as_json:
        typer.echo(json.dumps([_describe(one) for one in found]))
        return
    table = Table("kind", "title", box=None, header_style="bold")
    table.add_column("id", no_wrap=True)
    for one in found:
        table.add_row(one.kind, one.title, one.id)
    _print(table)


@_app.command()
def diff(as_json: AsJson = False) -> None:
    """Say where Kibana differs from the code; changes nothing. Exit code 1 if it does.

    Example: [bold]FRAUDLAKE_KIBANA_URL=https://kibana:5601 fraudlake dashboards diff[/bold]
    """
    from pipelines.settings import Settings
    from sinks.dashboards.catalog import artifacts
    from sinks.dashboards.kibana import Kibana
    from sinks.dashboards.publish import compare

    settings = Settings.from_env()
    found = list(compare(Kibana(settings.kibana), artifacts(settings)))
    if as_json:
        shown = [
            {
                **_describe(one.artifact),
                "missing": one.is_missing,
                "differences": list(one.differences),
            }
            for one in found
        ]
        typer.echo(json.dumps(shown, ensure_ascii=False))
    else:
        from rich.markup import escape

        for one in found:
            state = "missing" if one.is_missing else "differs"
            _say("same" if one.is_settled else state, one.artifact)
            for difference in one.differences:
                _print(f"           {escape(difference)}")
    if not all(one.is_settled for one in found):
        raise typer.Exit(1)


@_app.command()
def apply(as_json: AsJson = False) -> None:
    """Put data views, dashboards and alerting rules into Kibana; what is there already stays.

    Example: [bold]FRAUDLAKE_KIBANA_URL=https://kibana:5601 fraudlake dashboards apply[/bold]
    """
    from pipelines.settings import Settings
    from sinks.dashboards.catalog import artifacts
    from sinks.dashboards.kibana import Kibana
    from sinks.dashboards.publish import apply as put

    settings = Settings.from_env()
    done = []
    for outcome in put(Kibana(settings.kibana), artifacts(settings)):
        done.append({**_describe(outcome.artifact), "change": outcome.change})
        if not as_json:
            _say(outcome.change, outcome.artifact)
    if as_json:
        typer.echo(json.dumps(done))


@_app.command()
def write(
    folder: Annotated[Path, typer.Argument(help="Where the files go; made if missing.")] = Path(
        "deploy/kibana"
    ),
) -> None:
    """Write what `apply` sends as JSON files, to read, to review or to send by other means.

    Example: [bold]fraudlake dashboards write deploy/kibana[/bold]
    """
    from pipelines.settings import Settings
    from sinks.dashboards.catalog import write_files

    for path in write_files(Settings.from_env(), folder):
        typer.echo(path)


@_app.command()
def show(
    name: Annotated[str, typer.Argument(help="queue, card, rules or operations.")] = "queue",
    as_json: AsJson = False,
) -> None:
    """Print the numbers of a dashboard as they are now, straight from Elasticsearch.

    Example: [bold]fraudlake dashboards show rules[/bold]
    """
    from fraudlake.dashboard_view import read_panels, render_panel
    from pipelines.settings import Settings
    from sinks.alerts.search import explain_closed
    from sinks.dashboards.catalog import find_dashboard

    dashboard = find_dashboard(name)
    settings = Settings.from_env()
    panels = read_panels(settings, dashboard)
    closed = explain_closed(settings)
    if closed is not None:
        typer.echo(closed, err=True)
    if as_json:
        typer.echo(json.dumps([panel.to_json() for panel in panels], ensure_ascii=False))
        return
    if not panels:
        _print("No alerts yet. Send transactions with `fraudlake produce`.")
        return
    _print(f"[bold]{dashboard.title}[/bold], {dashboard.since} to now")
    for panel in panels:
        _print(render_panel(panel))


def _describe(artifact: Artifact) -> dict[str, str]:
    return {"kind": artifact.kind, "id": artifact.id, "title": artifact.title}


def _say(state: str, artifact: Artifact) -> None:
    _print(f"{state:<10} {artifact.kind} [bold]{artifact.title}[/bold] ({artifact.id})")


def _print(part: RenderableType) -> None:
    from rich.console import Console

    Console(highlight=False, emoji=False, soft_wrap=isinstance(part, str)).print(part)
