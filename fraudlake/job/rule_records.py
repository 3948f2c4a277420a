"""What a job decides by, kept before it is handed over and recorded in the lakehouse afterwards."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pipelines.errors import FraudlakeError
from pipelines.features import load_features
from pipelines.kept_rules import keep
from pipelines.rules import find_ruleset, load_ruleset

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.settings import Settings


def keep_rules(settings: Settings, name: str) -> None:
    """Keep the file of the rule set with which a job is deployed, published or not."""
    source = find_ruleset(name)
    keep(
        settings,
        load_ruleset(name, load_features()),
        source.read_text(encoding="utf-8"),
        source=name,
        origin="deployed",
        now=datetime.now(UTC),
    )


def record_rules(
    settings: Settings, *, say: Callable[[str], None], warn: Callable[[str], None]
) -> None:
    """Bring the table of rule sets up to what is kept here, and say what was recorded.

    The job decides with or without it: ``warn`` is told why it was not, and the next call makes up.
    """
    from sinks.lakehouse.rulesets import record_rulesets

    try:
        done = record_rulesets(settings, now=datetime.now(UTC))
    except FraudlakeError as error:
        warn(
            f"the rule set is not in the table rulesets yet: {error}. The next deployment records "
            "it, or `fraudlake rules record`"
        )
        return
    for version in done.added:
        say(f"rulesets: {version} is recorded")
