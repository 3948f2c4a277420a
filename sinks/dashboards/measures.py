"""What a panel counts: a measure of the alerts, or one part of another.

Each becomes one *metric operation* of Kibana's charts. ``where`` narrows a measure to some alerts,
``within`` to the end of the time range; both are Kibana's ``filter`` and ``reduced_time_range``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from sinks.dashboards.fields import FieldUse, Need
from sinks.dashboards.kql import fields_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sinks.dashboards.fields import Json

Operation = Literal["count", "sum", "average", "median", "min", "max", "unique_count", "percentile"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """How a number is shown."""

    type: Literal["number", "percent"] = "number"
    decimals: int = 0
    suffix: str | None = None

    def to_json(self) -> Json:
        """As Kibana takes it."""
        suffix = {} if self.suffix is None else {"suffix": self.suffix}
        return {"type": self.type, "decimals": self.decimals, **suffix}


WHOLE = Format()
MONEY = Format(decimals=2)
SCORE = Format(decimals=2)
PERCENT = Format(type="percent", decimals=1)
MILLISECONDS = Format(suffix=" ms")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A number over the alerts of a bucket; without ``operation``, how many there are."""

    label: str
    operation: Operation = "count"
    field: str | None = None
    """What is summed, averaged ...; None only for ``count``."""
    percentile: float | None = None
    """For ``percentile`` alone: 0 to 100."""
    where: str = ""
    """KQL: only these alerts."""
    within: str | None = None
    """Only so much of the end of the time range, such as ``10m``."""
    format: Format = WHOLE

    def __post_init__(self) -> None:
        if (self.operation == "count") is not (self.field is None):
            msg = f"measure {self.label!r}: {self.operation} of field {self.field}"
            raise ValueError(msg)
        if (self.operation == "percentile") is not (self.percentile is not None):
            msg = f"measure {self.label!r}: {self.operation} with percentile {self.percentile}"
            raise ValueError(msg)

    def to_json(self) -> Json:
        """As Kibana takes it."""
        optional: Json = {
            "field": self.field,
            "percentile": self.percentile,
            "filter": write_query(self.where) if self.where else None,
            "reduced_time_range": self.within,
        }
        return {
            "operation": self.operation,
            "label": self.label,
            **{name: value for name, value in optional.items() if value is not None},
            "format": self.format.to_json(),
        }

    def uses(self) -> Iterator[FieldUse]:
        """The fields it needs."""
        if self.field is not None:
            need: Need = "terms" if self.operation == "unique_count" else "number"
            yield FieldUse(name=self.field, need=need)
        yield from searched(self.where)


ALERTS = Measure(label="Alerts")
PAYMENTS = Measure(label="Flagged payments", operation="sum", field="fraud.hits")
AT_STAKE = Measure(
    label="Money at risk", operation="sum", field="fraud.money_at_risk", format=MONEY
)
WORST_SCORE = Measure(label="Worst score", operation="max", field="fraud.score", format=SCORE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """How many of the alerts of ``whole`` are of ``part``; nothing where ``whole`` has none."""

    label: str
    part: str
    whole: str
    """KQL, both."""

    @property
    def formula(self) -> str:
        """As Kibana's formulas have it: a division by zero shows as no value there."""
        return f"count(kql='{self.part}') / count(kql='{self.whole}')"

    def to_json(self) -> Json:
        """As Kibana takes it."""
        return {
            "operation": "formula",
            "label": self.label,
            "formula": self.formula,
            "format": PERCENT.to_json(),
        }

    def uses(self) -> Iterator[FieldUse]:
        """The fields it needs."""
        yield from searched(self.part)
        yield from searched(self.whole)


def write_query(kql: str) -> Json:
    """A query as dashboards, panels and measures have it."""
    return {"expression": kql, "language": "kql"}


def searched(kql: str) -> Iterator[FieldUse]:
    """The fields of a query."""
    for name in sorted(fields_of(kql)):
        yield FieldUse(name=name, need="search")
