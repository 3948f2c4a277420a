"""`fraudlake alerts`: the queue of alerts, one of them whole, and what people do with them."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from fraudlake.commands.alerts_case import add_case_verbs
from fraudlake.commands.alerts_index import add_index_verbs

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fraudlake.cases.payments import Timeline
    from pipelines.settings import Settings
    from sinks.alerts.search import Listed, Wanted
    from sinks.alerts.stored import StoredAlert

_app = typer.Typer(
    help="The queue of alerts: list, show, assign, note, verdict; and the indices they are in.",
    no_args_is_help=True,
)


class Band(StrEnum):
    """The bands that raise an alert."""

    review = "review"
    block = "block"


class Status(StrEnum):
    """Where a case stands."""

    open = "open"
    in_progress = "in_progress"
    closed = "closed"


AsJson = Annotated[bool, typer.Option("--json", help="Print the documents as JSON.")]


def register(app: typer.Typer) -> None:
    """Hang the command on the application."""
    add_case_verbs(_app)
    add_index_verbs(_app)
    app.add_typer(_app, name="alerts")


@_app.command("list")
def list_(
    *,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 20,
    status: Annotated[Status | None, typer.Option(help="Only cases that stand there.")] = None,
    band: Annotated[Band | None, typer.Option(help="Only alerts of this band.")] = None,
    rule: Annotated[str | None, typer.Option(help="Only where this rule fired.")] = None,
    assignee: Annotated[str | None, typer.Option(help="Only what this person has.")] = None,
    card: Annotated[str | None, typer.Option(help="Only alerts of this card.")] = None,
    grown: Annotated[
        bool, typer.Option("--grown", help="Only closed ones with payments since the verdict.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List the newest alerts, each with the sentences that explain it.

    A document that cannot be read is named, and the exit code is 1 then; the others are listed.

    Example: [bold]fraudlake alerts list --status open --band block[/bold], then
    [bold]fraudlake alerts show ID[/bold] for one of them, whole.
    """
    from pipelines.settings import Settings
    from sinks.alerts.search import Wanted, explain_closed, list_alerts

    wanted = Wanted(
        status=None if status is None else status.value,
        band=None if band is None else band.value,
        rule=rule,
        assignee=assignee,
        card_id=card,
        grown=grown,
    )
    settings = Settings.from_env()
    found = list_alerts(settings, wanted, limit=limit)
    closed = explain_closed(settings)
    if closed is not None:
        typer.echo(closed, err=True)
    for one in found.unreadable:
        typer.echo(str(one.error), err=True)
    if as_json:
        typer.echo(json.dumps([one.document for one in found.alerts], ensure_ascii=False))
    else:
        _print(_render(found, wanted))
    if (shown := len(found.alerts) + len(found.unreadable)) < found.total:
        typer.echo(f"{shown:,} of {found.total:,}: `--limit` shows more", err=True)
    if found.unreadable:
        raise typer.Exit(1)


@_app.command()
def show(
    alert_id: Annotated[str, typer.Argument(metavar="ID", help="An alert's id, or its beginning.")],
    as_json: AsJson = False,
) -> None:
    """Print one alert whole: rules, journey, the card's payments around it, features, case.

    Example: [bold]fraudlake alerts show 3f2a9c[/bold]
    """
    from pipelines.settings import Settings
    from sinks.alerts.search import read_alert

    settings = Settings.from_env()
    found = read_alert(settings, alert_id)
    if as_json:
        typer.echo(json.dumps(found.document, ensure_ascii=False))
        return
    from fraudlake.cases.sheet import render_sheet

    for part in render_sheet(found, _timeline(settings, found)):
        _print(part)


def _timeline(settings: Settings, alert: StoredAlert) -> Timeline | str:
    """The card's payments; a sentence when the lakehouse cannot tell: the rest is still shown."""
    from fraudlake.cases.payments import read_timeline
    from pipelines.errors import SinkError, TransientError

    try:
        found = read_timeline(settings, alert)
    except (SinkError, TransientError) as error:
        return f"The card's payments are not shown: {error}"
    return found if found.payments else "The card's payments are not in the lakehouse yet."


def _render(found: Listed, wanted: Wanted) -> RenderableType:
    from fraudlake.cases.queue import render_queue

    if found.alerts:
        return render_queue(found.alerts)
    return "" if found.unreadable else _explain_nothing(wanted)


def _explain_nothing(wanted: Wanted) -> str:
    if wanted.query()["bool"]["filter"]:
        return "No alert is like that. Without filters: `fraudlake alerts list`."
    return "No alerts yet. Send transactions with `fraudlake produce`."


def _print(part: RenderableType) -> None:
    from rich.console import Console

    from fraudlake.cases.harmless import Harmless

    Console(highlight=False, emoji=False).print(Harmless(part))
