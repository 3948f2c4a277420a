"""The panels of a dashboard, each as the ``config`` that the Dashboards API takes.

A chart is Kibana's panel type ``vis``: numbers, bars and lines, or a table. ``Documents`` shows the
alerts themselves (``discover_session``). Only what our dashboards use is here: a panel of another
kind gets a class of its own, and a place in ``tests/sinks/dashboards/dashboard.schema.json``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from sinks.dashboards.fields import FieldUse
from sinks.dashboards.measures import searched, write_query

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sinks.dashboards.buckets import Bucket
    from sinks.dashboards.data_views import DataView
    from sinks.dashboards.fields import Json
    from sinks.dashboards.measures import Measure, Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One big number, and maybe a smaller one under it."""

    type: ClassVar[str] = "vis"

    id: str
    measures: tuple[Measure | Ratio, ...]
    """One or two; their labels say what they are, so there is no title."""
    query: str = ""

    def __post_init__(self) -> None:
        if len(self.measures) not in {1, 2}:
            msg = f"number {self.id!r} has {len(self.measures)} measures, it must have 1 or 2"
            raise ValueError(msg)

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        """It groups by nothing."""
        return ()

    def to_json(self, data_view: DataView) -> Json:
        """The panel's ``config``."""
        roles = ("primary", "secondary")
        return {
            "type": "metric",
            "title": "",
            "data_source": data_view.reference(),
            "query": write_query(self.query),
            "metrics": [
                {"type": role, **measure.to_json()}
                for role, measure in zip(roles, self.measures, strict=False)
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Graph:
    """Bars or lines over ``x``, in one colour for each value of ``split``."""

    type: ClassVar[str] = "vis"

    id: str
    title: str
    kind: Literal["bar", "bar_stacked", "bar_horizontal", "line"]
    x: Bucket
    measures: tuple[Measure, ...]
    split: Bucket | None = None
    query: str = ""

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        """What it groups by, the outer one first."""
        return (self.x,) if self.split is None else (self.split, self.x)

    def to_json(self, data_view: DataView) -> Json:
        """The panel's ``config``."""
        split: Json = {} if self.split is None else {"breakdown_by": self.split.to_json()}
        layer: Json = {
            "type": self.kind,
            "data_source": data_view.reference(),
            "x": self.x.to_json(),
            "y": [measure.to_json() for measure in self.measures],
            **split,
        }
        return {
            "type": "xy",
            "title": self.title,
            "query": write_query(self.query),
            "layers": [layer],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One row for each combination of ``rows``, one column for each measure."""

    type: ClassVar[str] = "vis"

    id: str
    title: str
    rows: tuple[Bucket, ...]
    measures: tuple[Measure | Ratio, ...]
    query: str = ""

    @property
    def buckets(self) -> tuple[Bucket, ...]:
        """What it groups by, the outer one first."""
        return self.rows

    def to_json(self, data_view: DataView) -> Json:
        """The panel's ``config``."""
        return {
            "type": "data_table",
            "title": self.title,
            "data_source": data_view.reference(),
            "query": write_query(self.query),
            "rows": [row.to_json() for row in self.rows],
            "metrics": [measure.to_json() for measure in self.measures],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What documents are sorted by."""

    field: str
    direction: Literal["asc", "desc"]

    def to_json(self) -> Json:
        """As Kibana takes it."""
        return {"name": self.field, "direction": self.direction}


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """The alerts themselves, one in each row."""

    type: ClassVar[str] = "discover_session"

    id: str
    title: str
    columns: tuple[str, ...]
    order: tuple[Order, ...]
    query: str = ""

    def to_json(self, data_view: DataView) -> Json:
        """The panel's ``config``."""
        tab: Json = {
            "data_source": data_view.reference(),
            "query": write_query(self.query),
            "column_order": list(self.columns),
            "sort": [order.to_json() for order in self.order],
            "view_mode": "documents",
        }
        return {"title": self.title, "tabs": [tab]}

    def uses(self) -> Iterator[FieldUse]:
        """The fields it needs."""
        for name in self.columns:
            yield FieldUse(name=name, need="show")
        for order in self.order:
            yield FieldUse(name=order.field, need="terms")
        yield from searched(self.query)


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A few words, as Markdown."""

    type: ClassVar[str] = "markdown"

    id: str
    content: str

    def to_json(self, _: DataView) -> Json:
        """The panel's ``config``."""
        return {"content": self.content, "settings": {"open_links_in_new_tab": True}}

    def uses(self) -> Iterator[FieldUse]:
        """No field."""
        yield from ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """The way to other dashboards, which keep what was chosen here."""

    type: ClassVar[str] = "links"

    id: str
    targets: tuple[tuple[str, str], ...]
    """What to read, and the id of the dashboard."""

    def to_json(self, _: DataView) -> Json:
        """The panel's ``config``."""
        return {
            "layout": "horizontal",
            "links": [
                {"type": "dashboardLink", "label": label, "destination": dashboard_id}
                for label, dashboard_id in self.targets
            ],
        }

    def uses(self) -> Iterator[FieldUse]:
        """No field."""
        yield from ()


Chart = Number | Graph | Table
Panel = Chart | Documents | Text | Links


def panel_uses(panel: Panel) -> Iterator[FieldUse]:
    """The fields a panel needs, and what for."""
    if not isinstance(panel, Chart):
        yield from panel.uses()
        return
    for part in (*panel.buckets, *panel.measures):
        yield from part.uses()
    yield from searched(panel.query)
