"""How numbers, times and bands are written in a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

SHORT_ID = 10
"""So many digits of an alert's id are shown in a list; commands take the beginning of an id."""


def write_number(number: float | None) -> str:
    """At most two decimals, none that say nothing; ``-`` for no value."""
    if number is None:
        return "-"
    return f"{number:,.2f}".rstrip("0").rstrip(".")


def write_money(amount: float, currency: str) -> str:
    """With its currency."""
    return f"{amount:,.2f} {currency}"


def write_time(moment: datetime) -> str:
    """UTC, to the second."""
    return moment.strftime("%Y-%m-%d %H:%M:%S")


def count(number: int, noun: str) -> str:
    """With the noun in its number.

    >>> count(1, "payment"), count(2, "payment")
    ('1 payment', '2 payments')
    """
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def band_style(band: str) -> str:
    """The colour of a band."""
    return {"block": "bold red", "review": "bold yellow"}.get(band, "dim")
