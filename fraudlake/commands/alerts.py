"""`fraudlake alerts`: the newest alerts, each with the sentences that explain it."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from rich.console import RenderableType

    from sinks.alerts.alert import Alert
    from sinks.alerts.search import StoredAlert

SHORT_ID = 10
"""So many digits of an alert's id are shown in the list; `show` takes the beginning of an id."""

_app = typer.Typer(invoke_without_command=True)


class Band(StrEnum):
    """The bands that raise an alert."""

    review = "review"
    block = "block"


def register(app: typer.Typer) -> None:
    """Hang the command on the application."""
    app.add_typer(_app, name="alerts")


@_app.callback()
def alerts(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many, newest first.")] = 20,
    band: Annotated[Band | None, typer.Option(help="Only alerts of this band.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the documents as one JSON list.")
    ] = False,
) -> None:
    """List the newest alerts, each with the sentences that explain it.

    Example: [bold]fraudlake alerts --band block --limit 5[/bold], then
    [bold]fraudlake alerts show ID[/bold] for one of them, whole.
    """
    if context.invoked_subcommand is not None:
        return
    from pipelines.settings import Settings
    from sinks.alerts.search import list_alerts

    settings = Settings.from_env()
    found = list_alerts(settings, limit=limit, band=None if band is None else band.value)
    if as_json:
        typer.echo(json.dumps([one.document for one in found], ensure_ascii=False))
        return
    _print(_render_list(found) if found else _explain_nothing(band))


@_app.command()
def show(
    alert_id: Annotated[str, typer.Argument(metavar="ID", help="An alert's id, or its beginning.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the document as one JSON object.")
    ] = False,
) -> None:
    """Print one alert whole: rules, transaction, features, case.

    Example: [bold]fraudlake alerts show 3f2a9c[/bold]
    """
    from pipelines.settings import Settings
    from sinks.alerts.search import read_alert

    found = read_alert(Settings.from_env(), alert_id)
    if as_json:
        typer.echo(json.dumps(found.document, ensure_ascii=False))
        return
    for part in _render_alert(found):
        _print(part)


def _print(part: RenderableType) -> None:
    from rich.console import Console

    Console(highlight=False, emoji=False).print(part)


def _explain_nothing(band: Band | None) -> str:
    kind = "" if band is None else f" of band {band.value}"
    return f"No alerts{kind} yet. Send transactions with `fraudlake produce`."


def _render_list(found: Sequence[StoredAlert]) -> RenderableType:
    """Three columns, three lines to an alert: what a narrow terminal can still show whole."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.HORIZONTALS, show_lines=True, pad_edge=False, expand=True)
    table.add_column("opened UTC · card", min_width=19, max_width=24, overflow="fold")
    table.add_column("at risk", justify="right", min_width=14, no_wrap=True)
    table.add_column("why", ratio=1, overflow="fold")
    for one in found:
        alert = one.alert
        what = Text.assemble(
            (_write_time(alert.opened_at), "bold"),
            f"\n{alert.card_id}\n",
            (alert.alert_id[:SHORT_ID], "dim"),
        )
        risk = Text.assemble(
            (_write_money(alert.money_at_risk, alert.base_currency), "bold"),
            "\n",
            (f"{alert.band} {alert.score:g}", _style(alert.band)),
            (f"\n{_count(alert.decisions, 'payment')}", "dim"),
        )
        table.add_row(what, risk, Text("\n".join(rule.because for rule in alert.rules)))
    return table


def _render_alert(found: StoredAlert) -> list[RenderableType]:
    alert = found.alert
    return [
        _render_head(found),
        "",
        _render_rules(alert),
        "",
        _render_pairs("latest transaction", _write_sent(alert.latest.transaction)),
        "",
        _render_pairs("features at that moment", _write_features(alert.latest.features)),
    ]


def _render_head(found: StoredAlert) -> RenderableType:
    from rich.panel import Panel
    from rich.text import Text

    alert = found.alert
    assignee = "nobody" if found.assignee is None else found.assignee
    money = _write_money(alert.money_at_risk, alert.base_currency)
    text = Text.assemble(
        (f"{alert.band} {alert.score:g}", _style(alert.band)),
        f"  {money} at risk in {_count(alert.decisions, 'payment')}",
        f"\ncard {alert.card_id} of customer {alert.customer_id}",
        f"\nopened {_write_time(alert.opened_at)} by transaction {alert.opening.transaction_id}",
        f"\nlatest {_write_time(alert.updated_at)}, revision {alert.sequence}",
        f"\nrules {alert.ruleset}",
        f"\ncase {found.status}, assigned to {assignee}",
    )
    return Panel(text, title=f"alert {alert.alert_id}", title_align="left")


def _render_rules(alert: Alert) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("rule", overflow="fold")
    for name in ("weight", "observed", "limit"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("because", overflow="fold")
    for rule in alert.rules:
        numbers = (rule.weight, rule.observed, rule.limit)
        table.add_row(rule.id, *map(_write_number, numbers), Text(rule.because))
    return table


def _render_pairs(title: str, pairs: Mapping[str, str]) -> RenderableType:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column(title)
    table.add_column("", overflow="fold")
    for name, value in pairs.items():
        table.add_row(Text(name), Text(value))
    return table


def _write_sent(transaction: Mapping[str, object]) -> dict[str, str]:
    """The transaction's fields as they were sent."""
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in transaction.items()
        if value is not None
    }


def _write_features(features: Mapping[str, float | None]) -> dict[str, str]:
    return {name: _write_number(value) for name, value in features.items() if value is not None}


def _write_number(number: float | None) -> str:
    if number is None:
        return "-"
    return f"{number:,.2f}".rstrip("0").rstrip(".")


def _write_money(amount: float, currency: str) -> str:
    return f"{amount:,.2f} {currency}"


def _write_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _style(band: str) -> str:
    return "bold red" if band == "block" else "bold yellow"
