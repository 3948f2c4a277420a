"""Where rule sets are published and recorded."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipelines.published_rules import publish, publish_first
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pipelines.published_rules import Publication, Unpublished
    from sinks.lakehouse.rulesets import Recorded


class RuleDesk:
    """Where rule sets are published and recorded."""

    def publish(self, ruleset: str | None) -> Publication:
        """Check a rule set and put it in force; RulesetError lists every fault."""
        return publish(Settings.from_env(), ruleset=ruleset, now=datetime.now(UTC))

    def publish_first(self) -> Publication | Unpublished:
        """Leave in force what is; else publish what the job has, as long as the file is that."""
        return publish_first(Settings.from_env(), now=datetime.now(UTC))

    def record(self) -> Recorded:
        """See that the lakehouse has every version that came into use here, each once."""
        from sinks.lakehouse.rulesets import record_rulesets

        return record_rulesets(Settings.from_env(), now=datetime.now(UTC))
