"""One alert whole: what fired and why, the journey, the card's payments around it, the case."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rich import box
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from fraudlake.cases.queue import describe_case
from fraudlake.cases.wording import (
    band_style,
    count,
    write_money,
    write_number,
    write_time,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rich.console import RenderableType

    from fraudlake.cases.payments import Timeline
    from sinks.alerts.stored import Note, StoredAlert
    from sinks.alerts.travel import Place, Travel


def render_sheet(alert: StoredAlert, timeline: Timeline | str) -> list[RenderableType]:
    """The parts from top to bottom; ``timeline`` is a sentence where there is none."""
    parts = [_head(alert), _rules(alert)]
    if alert.travel is not None:
        parts.append(_journey(alert.travel))
    parts += [
        Text(timeline, style="dim") if isinstance(timeline, str) else _timeline(timeline),
        _pairs("latest payment", _written(alert.latest).items()),
        _pairs("features at that moment", _features(alert.features).items()),
    ]
    if alert.case.notes:
        parts.append(_notes(alert))
    return [item for part in parts for item in (part, "")][:-1]


def _head(alert: StoredAlert) -> RenderableType:
    money = write_money(alert.money_at_risk, alert.currency)
    text = Text.assemble(
        (f"{alert.band} {alert.score:g}", band_style(alert.band)),
        f"  {money} at risk in {count(alert.hits, 'payment')}",
        f"\ncard {alert.card_id} of customer {alert.customer_id}",
        f"\nopened {write_time(alert.opened_at)} by transaction {alert.opening.transaction_id}",
        f"\nlatest {write_time(alert.updated_at)}, revision {alert.sequence}",
        f"\nrules {alert.ruleset}",
        f"\ncase {_case(alert)}",
    )
    return Panel(text, title=f"alert {alert.alert_id}", title_align="left")


def _case(alert: StoredAlert) -> str:
    case = alert.case
    state = describe_case(case) or "with nobody"
    said = f"{case.status.replace('_', ' ')}, {state}"
    if case.reason is not None:
        said += f": {case.reason}"
    if alert.grown_by > 0:
        since = count(alert.grown_by, "payment")
        said += f"\n     {since} since then: the same verdict again labels them"
    elif case.verdict is not None and case.label is None:
        said += "\n     no payment is labelled: the same verdict again labels them"
    return said


def _rules(alert: StoredAlert) -> RenderableType:
    table = _table()
    table.add_column("rule", overflow="fold")
    for name in ("weight", "observed", "limit"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("because", overflow="fold")
    for rule in alert.rules:
        numbers = (rule.weight, rule.observed, rule.limit)
        table.add_row(rule.id, *map(write_number, numbers), Text(rule.because))
    return table


def _journey(travel: Travel) -> RenderableType:
    """From where to where, on one line: ``52.52° N 13.40° E ━━━ 877.5 km in 12 min ━━━▶ …``."""
    middle = [f"{write_number(travel.km)} km" if travel.km is not None else ""]
    if travel.gap_min is not None:
        middle.append(f"in {write_number(travel.gap_min)} min")
    elif travel.kmh is not None:
        middle.append(f"at {write_number(travel.kmh)} km/h")
    said = " ".join(word for word in middle if word)
    return Text.assemble(
        ("journey  ", "bold"),
        _point(travel.start),
        (f"  ━━━ {said} ━━━▶  ", "red"),
        _point(travel.end),
    )


def _point(place: Place) -> str:
    north = "N" if place.latitude >= 0 else "S"
    east = "E" if place.longitude >= 0 else "W"
    return f"{abs(place.latitude):.2f}° {north} {abs(place.longitude):.2f}° {east}"


def _timeline(timeline: Timeline) -> RenderableType:
    """Payments of the alert are marked; the others show what is usual for the card."""
    table = _table()
    if (left := timeline.total - len(timeline.payments)) > 0:
        table.caption = (
            f"the newest of {count(timeline.total, 'payment')}, and the one that opened the alert; "
            f"{left:,} older ones are not shown"
        )
    table.add_column("the card's payments", no_wrap=True)
    table.add_column("amount", justify="right", no_wrap=True)
    table.add_column("where", overflow="fold")
    table.add_column("fired", overflow="fold")
    for one in timeline.payments:
        style = band_style(one.band) if one.is_of_alert else "dim"
        mark = "●" if one.is_of_alert else "·"
        where = " ".join(
            word
            for word in (one.country, one.channel, one.merchant_category, one.merchant_id)
            if word
        )
        table.add_row(
            Text(f"{mark} {write_time(one.at)}", style=style),
            Text(write_money(one.amount, one.currency), style=style),
            Text(where, style=style),
            Text(", ".join(one.rules), style=style),
        )
    return table


def _notes(alert: StoredAlert) -> RenderableType:
    return _pairs("notes", [(_sign(note), note.text) for note in alert.case.notes])


def _sign(note: Note) -> str:
    """When and by whom; another tool may have left out either."""
    at = "some time" if note.at is None else write_time(note.at)
    return f"{at} {note.by or 'somebody'}"


def _pairs(title: str, pairs: Iterable[tuple[str, str]]) -> RenderableType:
    table = _table()
    table.add_column(title)
    table.add_column("", overflow="fold")
    for name, value in pairs:
        table.add_row(Text(name), Text(value))
    return table


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False)


def _written(payment: Mapping[str, object]) -> dict[str, str]:
    return {
        name: value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in payment.items()
        if value is not None
    }


def _features(features: Mapping[str, float | None]) -> dict[str, str]:
    return {name: write_number(value) for name, value in features.items() if value is not None}
