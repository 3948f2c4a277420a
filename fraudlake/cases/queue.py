"""The list of alerts: three columns, three lines to each, whole in a narrow terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

from fraudlake.cases.wording import (
    SHORT_ID,
    band_style,
    count,
    write_money,
    write_time,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import RenderableType

    from sinks.alerts.stored import Case, StoredAlert


def render_queue(found: Sequence[StoredAlert]) -> RenderableType:
    """Newest first, as they come."""
    table = Table(box=box.HORIZONTALS, show_lines=True, pad_edge=False, expand=True)
    table.add_column("opened UTC · card", min_width=19, max_width=24, overflow="fold")
    table.add_column("at risk", justify="right", min_width=14, no_wrap=True)
    table.add_column("why", ratio=1, overflow="fold")
    for alert in found:
        what = Text.assemble(
            (write_time(alert.opened_at), "bold"),
            f"\n{alert.card_id}\n",
            (alert.alert_id[:SHORT_ID], "dim"),
        )
        risk = Text.assemble(
            (write_money(alert.money_at_risk, alert.currency), "bold"),
            "\n",
            (f"{alert.band} {alert.score:g}", band_style(alert.band)),
            (f"\n{count(alert.hits, 'payment')}", "dim"),
        )
        why = Text("\n".join(rule.because for rule in alert.rules))
        if state := describe_case(alert.case):
            why.append(f"\n{state}", style="cyan")
        if alert.grown_by > 0:
            why.append(f"\n{count(alert.grown_by, 'payment')} since the verdict", style="bold red")
        table.add_row(what, risk, why)
    return table


def describe_case(case: Case) -> str:
    """Who has it and what was decided; empty while nobody has looked at it.

    A verdict whose labels are under way says so.
    """
    if case.verdict is not None:
        sent = "" if case.label is None or case.label.state == "sent" else ", labels not sent yet"
        return f"{case.verdict}, by {case.assignee or case.updated_by or 'somebody'}{sent}"
    return "" if case.assignee is None else f"with {case.assignee}"
