"""A dashboard: panels on a grid of 48 columns, controls above them, and where to go from here.

Rows are laid from top to bottom, panels in a row from left to right, so nothing overlaps and
nothing is left empty.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sinks.dashboards.fields import FieldUse
from sinks.dashboards.measures import write_query
from sinks.dashboards.panels import panel_uses

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sinks.dashboards.data_views import DataView
    from sinks.dashboards.fields import Json
    from sinks.dashboards.panels import Panel

COLUMNS = 48
REFRESH_MS = 30_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """A list of a field's values above the dashboard; what is chosen narrows every panel."""

    id: str
    title: str
    field: str
    is_single: bool = False
    """At most one value can be chosen."""

    def to_json(self, data_view: DataView) -> Json:
        """As a pinned panel of the dashboard."""
        return {
            "id": self.id,
            "type": "options_list_control",
            "width": "medium",
            "grow": True,
            "config": {
                "title": self.title,
                "data_view_id": data_view.id,
                "field_name": self.field,
                "single_select": self.is_single,
            },
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Panels side by side, all of one height."""

    height: int
    panels: tuple[Panel, ...]
    widths: tuple[int, ...]

    def __post_init__(self) -> None:
        is_whole = len(self.panels) == len(self.widths) and sum(self.widths) == COLUMNS
        if not is_whole or min(self.height, *self.widths) < 1:
            names = ", ".join(panel.id for panel in self.panels)
            msg = f"the row of {names}: widths {self.widths} must be one each, {COLUMNS} together"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dashboard:
    """One dashboard, whole."""

    name: str
    """What commands and files call it."""
    title: str
    description: str
    data_view: DataView
    since: str
    """How far back it looks, such as ``now-7d``."""
    controls: tuple[Control, ...]
    rows: tuple[Row, ...]

    @property
    def id(self) -> str:
        """Its id in Kibana."""
        return f"fraudlake-{self.name}"

    @property
    def panels(self) -> tuple[Panel, ...]:
        """From top left to bottom right."""
        return tuple(panel for row in self.rows for panel in row.panels)

    def to_json(self) -> Json:
        """The body of ``PUT /api/dashboards/<id>``."""
        return {
            "title": self.title,
            "description": self.description,
            "time_range": {"from": self.since, "to": "now"},
            "refresh_interval": {"pause": False, "value": REFRESH_MS},
            "query": write_query(""),
            "filters": [],
            "pinned_panels": [control.to_json(self.data_view) for control in self.controls],
            "panels": list(self._placed()),
        }

    def uses(self) -> Iterator[FieldUse]:
        """Every field it needs, and what for."""
        yield FieldUse(name=self.data_view.time_field, need="date")
        for control in self.controls:
            yield FieldUse(name=control.field, need="terms")
        for panel in self.panels:
            yield from panel_uses(panel)

    def _placed(self) -> Iterator[Json]:
        top = 0
        for row in self.rows:
            left = 0
            for panel, width in zip(row.panels, row.widths, strict=True):
                yield {
                    "id": panel.id,
                    "type": panel.type,
                    "grid": {"x": left, "y": top, "w": width, "h": row.height},
                    "config": panel.to_json(self.data_view),
                }
                left += width
            top += row.height
