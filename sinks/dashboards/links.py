"""The row of links that every dashboard begins with."""

from __future__ import annotations

from sinks.dashboards.dashboard import COLUMNS, Row
from sinks.dashboards.panels import Links

TITLES = {
    "queue": "Fraud: queue",
    "card": "Fraud: one card",
    "rules": "Fraud: rules",
    "operations": "Fraud: operations",
}


def links_row(here: str) -> Row:
    """The way from dashboard ``here`` to all others."""
    targets = tuple((title, f"fraudlake-{name}") for name, title in TITLES.items() if name != here)
    return Row(height=3, panels=(Links(id="links", targets=targets),), widths=(COLUMNS,))
