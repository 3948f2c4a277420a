"""Rows that stand in the table twice: there must be none, whatever was killed and when."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from sinks.lakehouse.query.opening import open_lake

if TYPE_CHECKING:
    from datetime import datetime

    from pipelines.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubles:
    """What was found among the decisions stored lately."""

    decisions: int
    doubled: int
    examples: tuple[str, ...]
    """Ids of the first twenty."""


def find_doubles(settings: Settings, *, since: datetime) -> Doubles:
    """Ask the lakehouse; NoTablesError when there is nothing yet."""
    sql = resources.files(__package__).joinpath("doubles.sql").read_text(encoding="utf-8")
    with open_lake(settings) as lake:
        [(decisions, doubled, examples)] = lake.ask(sql, {"since": since}, limit=1).rows
    return Doubles(decisions=decisions, doubled=doubled, examples=tuple(examples or ()))
