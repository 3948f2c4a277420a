"""The checks that one look answers: which asset each is of, and the function that judges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestration.keys import INDEX, JOB, table_key, topic_key
from orchestration.verdict import Verdict, fail, is_well, unknown
from orchestration.watching.glance import Trouble
from orchestration.watching.judging import (
    judge_checkpoint_age,
    judge_dead_letters,
    judge_lag,
    judge_readable,
    judge_rules,
    judge_running,
    judge_showing,
    judge_storing,
)
from orchestration.watching.restarts import judge_restarts

if TYPE_CHECKING:
    from collections.abc import Callable

    import dagster as dg

    from orchestration.watching.glance import Glance
    from sinks.alerts.glance import IndexGlance


@dataclass(frozen=True, slots=True, kw_only=True)
class LookCheck:
    """One check."""

    asset: dg.AssetKey
    name: str
    about: str
    judge: Callable[[Glance], Verdict]


def judge_template(index: IndexGlance | Trouble) -> Verdict:
    """Is there an index template? How it differs from this release's is for ``in_step`` to say."""
    if isinstance(index, Trouble):
        return unknown(f"nothing is known of it: {index.sentence}")
    if not index.has_template:
        return fail("there is no index template: materialize elasticsearch/fraud_alerts")
    return is_well("there is an index template")


LOOK_CHECKS = (
    LookCheck(
        asset=JOB,
        name="running",
        about="The job runs. One that ended without being stopped is started again.",
        judge=lambda seen: judge_running(seen.notes, seen.stream),
    ),
    LookCheck(
        asset=JOB,
        name="checkpoint_age",
        about="The newest checkpoint is younger than a minute: decisions leave with each.",
        judge=lambda seen: judge_checkpoint_age(seen.stream),
    ),
    LookCheck(
        asset=JOB,
        name="lag_in_budget",
        about="Few transactions wait to be decided.",
        judge=lambda seen: judge_lag(seen.broker),
    ),
    LookCheck(
        asset=JOB,
        name="decides_by_active_rules",
        about="The job runs the rule set that `rules/active` has published.",
        judge=lambda seen: judge_rules(seen.notes, seen.stream),
    ),
    LookCheck(
        asset=JOB,
        name="restarts",
        about="The job did not fail of late; what fails again and again does not mend by itself.",
        judge=lambda seen: judge_restarts(seen.notes, seen.stream, seen.at),
    ),
    LookCheck(
        asset=topic_key("decisions"),
        name="readable",
        about="Nothing that the job wrote stands behind a transaction that was left open.",
        judge=lambda seen: judge_readable(seen.broker),
    ),
    LookCheck(
        asset=topic_key("dead_letters"),
        name="rate",
        about="At most one in a hundred records of the last hour was set aside.",
        judge=lambda seen: judge_dead_letters(seen.broker),
    ),
    LookCheck(
        asset=table_key("decisions"),
        name="sink_keeps_up",
        about="No decision waits for more than five minutes to be stored.",
        judge=lambda seen: judge_storing(seen.broker, seen.lake),
    ),
    LookCheck(
        asset=INDEX,
        name="sink_keeps_up",
        about="No alert waits for more than five minutes to be shown.",
        judge=lambda seen: judge_showing(seen.broker),
    ),
    LookCheck(
        asset=INDEX,
        name="template_in_place",
        about="There is an index template; `in_step` compares it with this release's.",
        judge=lambda seen: judge_template(seen.index),
    ),
)
