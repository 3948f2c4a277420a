"""What investigators work with: the index of alerts, and the dashboards in Kibana."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import date

    from sinks.alerts.differences import Difference
    from sinks.alerts.retention import Expiry, Judged
    from sinks.dashboards.publish import Comparison, Outcome


class AlertIndex:
    """The index of alerts."""

    def apply_template(self) -> str:
        """Put template and alias in place; created, updated or unchanged."""
        from sinks.alerts.template import apply_template

        return apply_template(Settings.from_env())

    def count(self) -> int:
        """How many alerts it holds."""
        from sinks.alerts.search import read_index_count

        return read_index_count(Settings.from_env())

    def count_ids(self) -> Counter[str]:
        """How many documents each alert has."""
        from sinks.alerts.search import read_origins

        return Counter(alert_id for alert_id, _ in read_origins(Settings.from_env()))

    def find_differences(self) -> Sequence[Difference]:
        """What template, alias and months have otherwise than this release."""
        from sinks.alerts.differences import read_differences

        return read_differences(Settings.from_env())

    def judge_months(self, today: date) -> Sequence[Judged]:
        """The fate of each month; nothing is deleted."""
        from sinks.alerts.retention import read_retention

        settings = Settings.from_env()
        keep = settings.elasticsearch.keep_months
        return read_retention(settings, today=today, keep_months=keep)

    def expire(self, today: date, *, log: Callable[[str], None]) -> Expiry:
        """Delete the months that are old enough and finished.

        TransientError if another change of the indices is under way.
        """
        from sinks.alerts.index_lock import hold_indices
        from sinks.alerts.retention import expire_months

        settings = Settings.from_env()
        keep = settings.elasticsearch.keep_months
        with hold_indices(settings, "alert months in Dagster", say=log) as confirm:
            return expire_months(settings, today=today, keep_months=keep, say=log, confirm=confirm)

    def name(self) -> str:
        """The alias that is searched."""
        return Settings.from_env().elasticsearch.index


class Dashboards:
    """Kibana, as far as its dashboards and alerting rules are ours."""

    def url(self) -> str:
        """Where it is; empty: there is none."""
        return Settings.from_env().kibana.url

    def apply(self, *, only_missing: bool) -> Sequence[Outcome]:
        """Put them there, or those that are missing; what became of each."""
        from sinks.dashboards.catalog import artifacts
        from sinks.dashboards.kibana import Kibana
        from sinks.dashboards.publish import apply

        settings = Settings.from_env()
        kibana = Kibana(settings.kibana)
        return list(apply(kibana, artifacts(settings), only_missing=only_missing))

    def compare(self) -> Sequence[Comparison] | None:
        """Each of them beside what Kibana has; None: there is no Kibana."""
        from sinks.dashboards.catalog import artifacts
        from sinks.dashboards.kibana import Kibana
        from sinks.dashboards.publish import compare

        settings = Settings.from_env()
        if settings.kibana.url == "":
            return None
        return list(compare(Kibana(settings.kibana), artifacts(settings)))
