"""Settings of the alerting rules with which a rule could never call, each as one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings.sections import KibanaSettings

CRITICAL_WINDOW_MINUTES = 7 * 24 * 60
"""The rule for blocked cards looks at the alerts that arrived within so long."""


def find_kibana_faults(kibana: KibanaSettings) -> Iterator[str]:
    """Every fault."""
    if kibana.critical_minutes >= CRITICAL_WINDOW_MINUTES:
        yield (
            f"FRAUDLAKE_KIBANA_CRITICAL_MINUTES={kibana.critical_minutes} must be below "
            f"{CRITICAL_WINDOW_MINUTES}, seven days: the rule looks at no older alert, and would "
            "never call"
        )
