"""`fraudlake alerts assign | note | verdict | send-verdicts`: an investigator's own work."""

from __future__ import annotations

import getpass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from fraudlake.cases.wording import count

if TYPE_CHECKING:
    from sinks.alerts.verdicts import Given

AlertId = Annotated[
    str,
    typer.Argument(metavar="ID", help="An alert's id, or six characters or more of its beginning."),
]
By = Annotated[
    str | None,
    typer.Option(
        envvar="FRAUDLAKE_INVESTIGATOR", help="Who does this; else the user of this machine."
    ),
]


class Verdict(StrEnum):
    """What the payments turned out to be."""

    fraud = "fraud"
    genuine = "genuine"


def add_case_verbs(app: typer.Typer) -> None:
    """Hang the commands on ``fraudlake alerts``."""
    for name, command in (
        ("assign", assign),
        ("note", note),
        ("verdict", verdict),
        ("send-verdicts", send_verdicts),
    ):
        app.command(name)(command)


def assign(
    alert_id: AlertId,
    assignee: Annotated[
        str | None, typer.Argument(metavar="[WHO]", help="Who shall have it; else you.")
    ] = None,
    nobody: Annotated[bool, typer.Option("--nobody", help="Give it back to the queue.")] = False,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="Also when somebody else has it.")
    ] = False,
    by: By = None,
) -> None:
    """Take an alert, or give it to somebody.

    Example: [bold]fraudlake alerts assign 3f2a9c ann[/bold]
    """
    from pipelines.settings import Settings
    from sinks.alerts import cases

    if nobody and assignee is not None:
        msg = "either WHO or --nobody"
        raise typer.BadParameter(msg)
    who = by or getpass.getuser()
    alert = cases.assign(
        Settings.from_env(),
        alert_id,
        assignee=None if nobody else assignee or who,
        by=who,
        may_take_over=take_over,
    )
    typer.echo(f"{alert.alert_id} is with {alert.case.assignee or 'nobody'}")


def note(
    alert_id: AlertId,
    text: Annotated[str, typer.Argument(help="What you want to remember, in quotes.")],
    by: By = None,
) -> None:
    """Write a note into the case.

    Example: [bold]fraudlake alerts note 3f2a9c "Customer called: card was in Lyon"[/bold]
    """
    from pipelines.settings import Settings
    from sinks.alerts import cases

    alert = cases.add_note(Settings.from_env(), alert_id, text=text, by=by or getpass.getuser())
    typer.echo(f"{alert.alert_id} has {count(len(alert.case.notes), 'note')}")


def verdict(
    alert_id: AlertId,
    verdict: Annotated[Verdict, typer.Argument(help="What its payments were.")],
    reason: Annotated[
        str | None, typer.Option(help="Why, in a few words; goes with the labels.")
    ] = None,
    by: By = None,
) -> None:
    """Close an alert, and label its payments for rules, backtests and models.

    Each payment's label goes to the topic `labels` exactly once, however often this is run. The
    same verdict again labels what came since; another one corrects it.

    Example: [bold]fraudlake alerts verdict 3f2a9c fraud --reason "holder denies"[/bold]
    """
    from fraudlake.cases.payments import read_flagged
    from pipelines.settings import Settings
    from sinks.alerts.verdicts import give_verdict

    settings = Settings.from_env()
    given = give_verdict(
        settings,
        alert_id,
        verdict=verdict.value,
        reason=reason,
        by=by or getpass.getuser(),
        payments_of=lambda alert: read_flagged(settings, alert),
    )
    typer.echo(_said(given))


def send_verdicts() -> None:
    """Send the labels of verdicts that were interrupted before their labels were in the topic.

    One that cannot be finished yet holds up no other; it is named, and the exit code is 1.

    Example: [bold]fraudlake alerts send-verdicts[/bold]
    """
    from fraudlake.cases.payments import read_flagged
    from pipelines.settings import Settings
    from sinks.alerts.verdicts import finish_verdicts

    settings = Settings.from_env()
    finished, unfinished = finish_verdicts(settings, lambda alert: read_flagged(settings, alert))
    for given in finished:
        typer.echo(_said(given))
    for one in unfinished:
        typer.echo(f"{one.alert_id} is not finished: {one.error}", err=True)
    if unfinished:
        raise typer.Exit(1)
    if not finished:
        typer.echo("every verdict's labels are in the topic")


def _said(given: Given) -> str:
    labels = "its labels were in the topic already"
    if given.labels > 0:
        labels = f"{count(given.labels, 'payment')} labelled"
    return f"{given.alert.alert_id} is {given.alert.case.verdict}: {labels}"
