"""Kibana's *data views*: the index of alerts, seen along one of its times.

Two, because two questions are asked: when was the card used (``@timestamp``), and when did we come
to know (``event.ingested``). Controls, panels and queries name a view by its fixed id.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sinks.dashboards.fields import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class DataView:
    """The index, along ``time_field``."""

    id: str
    name: str
    time_field: str

    def reference(self) -> Json:
        """As a panel names its data source."""
        return {"type": "data_view_reference", "ref_id": self.id}

    def to_json(self, index: str) -> Json:
        """As the data views API takes it."""
        return {
            "id": self.id,
            "title": index,
            "name": self.name,
            "timeFieldName": self.time_field,
        }


BY_EVENT = DataView(id="fraudlake-alerts", name="Fraudlake alerts", time_field="@timestamp")
BY_ARRIVAL = DataView(
    id="fraudlake-arrivals", name="Fraudlake alerts by arrival", time_field="event.ingested"
)
DATA_VIEWS = (BY_EVENT, BY_ARRIVAL)
