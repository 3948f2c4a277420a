"""How a panel groups alerts: by the values of a field, by time, or by queries of its own.

Each becomes one *bucket operation* of Kibana's charts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sinks.dashboards.fields import FieldUse
from sinks.dashboards.measures import searched, write_query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sinks.dashboards.fields import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """One group for each value of a field: the ``limit`` that the first measure is largest for.

    An alert with several values, such as rules, is in the group of each.
    """

    label: str
    field: str
    limit: int

    def to_json(self) -> Json:
        """As Kibana takes it."""
        return {
            "operation": "terms",
            "label": self.label,
            "fields": [self.field],
            "limit": self.limit,
            "rank_by": {"type": "metric", "metric_index": 0, "direction": "desc"},
        }

    def uses(self) -> Iterator[FieldUse]:
        """The fields it needs."""
        yield FieldUse(name=self.field, need="terms")


@dataclass(frozen=True, slots=True, kw_only=True)
class OverTime:
    """One group for each interval of a time field."""

    label: str
    field: str
    interval: str
    """Such as ``1m``. Kibana takes a longer one where this would draw too many bars."""

    def to_json(self) -> Json:
        """As Kibana takes it."""
        return {
            "operation": "date_histogram",
            "label": self.label,
            "field": self.field,
            "suggested_interval": self.interval,
            "include_empty_rows": True,
        }

    def uses(self) -> Iterator[FieldUse]:
        """The fields it needs."""
        yield FieldUse(name=self.field, need="date")


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A group of ``Choices``: its name, and which alerts are in it, by KQL."""

    label: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """Groups by queries, in the order given; an alert may be in none or in several."""

    label: str
    choices: tuple[Choice, ...]

    def to_json(self) -> Json:
        """As Kibana takes it."""
        return {
            "operation": "filters",
            "label": self.label,
            "filters": [
                {"label": choice.label, "filter": write_query(choice.where)}
                for choice in self.choices
            ],
        }

    def uses(self) -> Iterator[FieldUse]:
        """The fields it needs."""
        for choice in self.choices:
            yield from searched(choice.where)


Bucket = Terms | OverTime | Choices
