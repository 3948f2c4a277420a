"""The job as a table for people: counts with their rates, latency, checkpoints, lag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rich import box
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fraudlake.job.facts import JobFacts

MOST_SHOWN = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Facts, and when they were read, on a clock that never goes back."""

    facts: JobFacts
    at_s: float


def render_job(look: Look, before: Look | None) -> Table:
    """The table of one look; with the one before it, rates per second."""
    facts, figures = look.facts, look.facts.figures
    checkpoints = facts.checkpoints
    style = "green" if facts.is_running else "red"
    table = Table(box=box.SIMPLE_HEAD, caption=facts.url, caption_justify="left")
    table.add_column(Text.assemble(facts.job.name, " ", (facts.job.state, style)), no_wrap=True)
    table.add_column(facts.ruleset or "", justify="right", no_wrap=True)
    table.add_column("per second" if before is not None else "", justify="right", no_wrap=True)

    def add(label: str, value: str, rate: str = "") -> None:
        table.add_row(label, value, rate)

    def count(label: str, name: str) -> None:
        value = getattr(figures, name)
        older = None if before is None else getattr(before.facts.figures, name)
        add(label, _whole(value), _rate(older, value, _seconds(before, look)))

    add("up for", _span(facts.job.duration_ms / 1000))
    count("records read", "records_read")
    count("decisions", "decisions")
    for band, total in figures.bands.items():
        older = None if before is None else before.facts.figures.bands.get(band, 0)
        add(f"  {band}", _whole(total), _rate(older, total, _seconds(before, look)))
    count("alert revisions", "alerts")
    count("late", "late")
    count("repeats", "repeats")
    count("dead letters", "dead_letters")
    for label, total in _largest(figures.faults):
        add(f"  {label}", _whole(total))
    for label, total in _largest(figures.rules_fired):
        add(f"fired: {label}", _whole(total))
    latency = (figures.decide_latency_p50_ms, figures.decide_latency_p99_ms)
    add("decide latency p50 / p99", " / ".join(_milliseconds(value) for value in latency))
    add("not fetched yet", _whole(figures.unread_records))
    if facts.lag_records is not None:
        add("not committed yet", _whole(facts.lag_records))
    add("failed committables", _alarming(figures.failed_committables))
    add("checkpoints", f"{checkpoints.completed:,}")
    add("checkpoints failed", f"{checkpoints.failed:,}")
    age = facts.checkpoint_age_s
    add("newest checkpoint", "-" if age is None else f"{age:,.1f} s ago")
    add("  took", _milliseconds(checkpoints.latest_duration_ms))
    size = checkpoints.latest_bytes
    add("  state", "-" if size is None else f"{size / 2**20:,.1f} MiB")
    add("restarts", _alarming(facts.restarts))
    add("restores", f"{checkpoints.restored:,}")
    if facts.last_failure is not None:
        add("last failure", facts.last_failure[:60])
    if facts.given_up is not None:
        table.caption = Text.assemble((f"given up: {facts.given_up}", "red"), "\n", facts.url)
    return table


def _seconds(before: Look | None, look: Look) -> float:
    return 0.0 if before is None else look.at_s - before.at_s


def _rate(older: int | None, newer: int | None, seconds: float) -> str:
    """Empty where it is unknown, and where the count began anew.

    >>> _rate(100, 350, 2.0), _rate(100, 7, 2.0), _rate(None, 7, 2.0)
    ('125', '', '')
    """
    if older is None or newer is None or seconds <= 0 or newer < older:
        return ""
    return f"{(newer - older) / seconds:,.0f}"


def _largest(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """The largest, and in one more row what several others come to.

    >>> _largest({"a": 1, "b": 9, "c": 1, "d": 4, "e": 2, "f": 3, "g": 1})
    [('b', 9), ('d', 4), ('f', 3), ('e', 2), ('a', 1), ('2 others', 2)]
    """
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    shown, others = ranked[:MOST_SHOWN], ranked[MOST_SHOWN:]
    if len(others) <= 1:  # the row that would count it can name it as well
        return ranked
    return [*shown, (f"{len(others)} others", sum(total for _, total in others))]


def _whole(value: int | None) -> str:
    return "-" if value is None else f"{value:,}"


def _alarming(value: int | None) -> str:
    return f"[red]{value:,}[/]" if value is not None and value > 0 else _whole(value)


def _milliseconds(value: int | None) -> str:
    return "-" if value is None else f"{value:,} ms"


def _span(seconds: float) -> str:
    hours, rest = divmod(int(seconds), 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
