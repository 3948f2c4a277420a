"""How the stream decides lately, beside a reference week: counts by band, score and rule."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import resources
from typing import TYPE_CHECKING

from sinks.lakehouse.query.opening import open_lake

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pipelines.settings import Settings

RECENT = timedelta(days=1)
REFERENCE = timedelta(days=7)
MOST_ROWS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Decisions of one stretch of time."""

    decisions: int = 0
    bands: Mapping[str, int] = field(default_factory=dict)
    scores: Mapping[str, int] = field(default_factory=dict)
    """By bin, from 0 (no score) to 9 (near the highest seen)."""
    rules: Mapping[str, int] = field(default_factory=dict)
    """How often each rule fired."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The newest rule set, over its last day and the seven days before."""

    ruleset: str | None
    """None: nothing was decided in all that time."""
    recent: Counts
    reference: Counts


def read_behaviour(settings: Settings, *, now: datetime) -> Behaviour:
    """Ask the lakehouse; NoTablesError when there is nothing yet."""
    sql = resources.files(__package__).joinpath("behaviour.sql").read_text(encoding="utf-8")
    moments = {"begin": now - RECENT - REFERENCE, "since": now - RECENT, "until": now}
    with open_lake(settings) as lake:
        answer = lake.ask(sql, moments, limit=MOST_ROWS)
    found: dict[tuple[str, bool], dict[str, int]] = defaultdict(dict)
    for kind, name, is_recent, decisions in answer.rows:
        found[kind, is_recent][name] = decisions
    named = {**found["ruleset", False], **found["ruleset", True]}
    return Behaviour(
        ruleset=next(iter(named), None),
        recent=_counts(found, is_recent=True),
        reference=_counts(found, is_recent=False),
    )


def _counts(found: Mapping[tuple[str, bool], Mapping[str, int]], *, is_recent: bool) -> Counts:
    return Counts(
        decisions=sum(found.get(("ruleset", is_recent), {}).values()),
        bands=found.get(("band", is_recent), {}),
        scores=found.get(("score", is_recent), {}),
        rules=found.get(("rule", is_recent), {}),
    )
