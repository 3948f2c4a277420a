"""The mapping file: what the columns of a foreign file mean. Every fault is found before a row is.

::

    [source]                      # all optional
    format = "csv"                # csv, jsonl or parquet; else by the file's name
    delimiter = ";"
    encoding = "latin-1"
    decimal = ","                 # 1.234,56
    missing = ["", "NULL"]        # texts that mean: absent

    [constants]                   # the same for every row
    currency = "EUR"

    [fields]                      # contract field = column, or a table
    card_id = "CARD_TOKEN"
    event_time = { column = "BOOKED_AT", format = "%d.%m.%Y %H:%M:%S", zone = "Europe/Berlin" }
    amount = { column = "AMT", unit = "minor" }
    status = { column = "RESULT", values = { "00" = "approved" }, otherwise = "declined" }

    [carry]
    columns = ["BRANCH"]          # kept in the transaction under their own names
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from zoneinfo import ZoneInfo

    from pipelines.replay.sources import Format

EPOCH_FORMATS = ("epoch_s", "epoch_ms")
RFC_3339 = "rfc3339"


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldRule:
    """How one field of the contract is made of one column."""

    field: str
    column: str
    format: str = RFC_3339
    """Of a time: ``rfc3339``, ``epoch_s``, ``epoch_ms``, or a pattern of strptime."""
    zone: ZoneInfo | None = None
    """Of a time that does not say its own."""
    is_minor: bool = False
    """Of the amount: in minor units of its currency."""
    values: Mapping[str, str] | None = None
    """From the file's words to the contract's; to ``""`` means absent."""
    otherwise: str | None = None
    """For a word that is not in ``values``; None rejects the row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowMapping:
    """A mapping file without faults."""

    rules: tuple[FieldRule, ...]
    constants: Mapping[str, Any] = field(default_factory=dict)
    carry: tuple[str, ...] = ()
    format: Format | None = None
    delimiter: str = ","
    quote: str = '"'
    encoding: str = "utf-8"
    decimal: str = "."
    missing: frozenset[str] = frozenset({""})

    def columns(self) -> tuple[str, ...]:
        """Every column the mapping reads."""
        return tuple(dict.fromkeys([*(rule.column for rule in self.rules), *self.carry]))
