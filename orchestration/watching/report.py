"""What one look becomes in Dagster: events where something is new, and a line for the tick."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from orchestration.check_results import to_evaluation
from orchestration.keys import INDEX, JOB, table_key, topic_key
from orchestration.watching.checks import LOOK_CHECKS
from orchestration.watching.cursor import Cursor
from orchestration.watching.glance import BrokerGlance, StreamGlance, Trouble
from orchestration.watching.incident import HOUR_S, Incident, assess
from orchestration.watching.told import READ_UP_TO, ROWS, describe

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TypeAlias

    from orchestration.watching.glance import Glance
    from orchestration.watching.told import Told
    from sinks.lakehouse.heads import TableHead

    Event: TypeAlias = dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckEvaluation

REPEAT_S = 300.0
"""A check that finds the same again is reported this often: each event is a row for ever."""
MISSED = "missed"
"""The outcome of a check of which one look has seen nothing; the second such look is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What one tick has to say."""

    sentence: str
    events: Sequence[Event]
    incident: Incident
    cursor: Cursor


def report(
    glance: Glance,
    cursor: Cursor,
    told: Mapping[str, Told],
    materialized: Mapping[dg.AssetKey, float],
) -> Report:
    """The events that are new since ``cursor``, and the cursor after them.

    Of the tables, what is new since it was ``told``. Dagster shows a check as not evaluated when
    its asset was ``materialized`` after it: such a one is told again.
    """
    incident = assess(glance, cursor)
    now = glance.at.timestamp()
    commits = list(_tell_commits(glance, told))
    now_told = {one.asset_key: now for one in commits}
    checks, outcomes = _judge(glance, cursor, {**materialized, **now_told})
    events: list[Event] = [
        *_observe_job(glance),
        *_observe_topics(glance, cursor),
        *_observe_index(glance, cursor),
    ]
    events += [*commits, *checks]
    recent = tuple(at for at in cursor.repairs if now - at < HOUR_S)
    is_repaired = incident.repair_key is not None
    after = Cursor(
        at=now,
        ends=cursor.ends if isinstance(glance.broker, Trouble) else _totals(glance.broker),
        alerts=cursor.alerts if isinstance(glance.index, Trouble) else glance.index.alerts,
        outcomes=outcomes,
        absent_since=_absence(incident, cursor, now),
        repaired=incident.repair_key or cursor.repaired,
        repairs=(*recent, now) if is_repaired else recent,
    )
    return Report(
        sentence=_tell(glance, cursor, incident), events=events, incident=incident, cursor=after
    )


def _judge(
    glance: Glance, cursor: Cursor, materialized: Mapping[dg.AssetKey, float]
) -> tuple[list[dg.AssetCheckEvaluation], dict[str, tuple[str, float]]]:
    now = glance.at.timestamp()
    evaluations, outcomes = [], {}
    for check in LOOK_CHECKS:
        verdict = check.judge(glance)
        name = f"{check.asset.to_user_string()}:{check.name}"
        known = cursor.outcomes.get(name)
        if not verdict.is_known and known is not None and known[0] not in (MISSED, verdict.outcome):
            # A machine that is busy for a moment: what was seen last stands until the next look.
            outcomes[name] = (MISSED, known[1])
            continue
        if (
            known is None
            or known[0] != verdict.outcome
            or now - known[1] >= REPEAT_S
            or known[1] <= materialized.get(check.asset, 0.0)
        ):
            evaluations.append(to_evaluation(verdict, asset=check.asset, check=check.name))
            known = (verdict.outcome, now)
        outcomes[name] = known
    return evaluations, outcomes


def _observe_job(glance: Glance) -> Iterator[dg.AssetObservation]:
    stream, broker = glance.stream, glance.broker
    if isinstance(stream, Trouble) or stream.job is None:
        return
    figures: dict[str, Any] = {
        "state": stream.job.state,
        "page": dg.MetadataValue.url(stream.url),
    }
    if stream.restarts is not None:
        figures["restarts"] = stream.restarts
    if stream.ruleset is not None:
        figures["rule set"] = stream.ruleset
    if stream.checkpoint_age_s is not None:
        figures["checkpoint age, seconds"] = stream.checkpoint_age_s
    if stream.checkpoints is not None and stream.checkpoints.latest_bytes is not None:
        figures["checkpoint, bytes"] = stream.checkpoints.latest_bytes
    if not isinstance(broker, Trouble):
        figures["lag, records"] = broker.job_lag
    yield dg.AssetObservation(asset_key=JOB, metadata=figures)


def _observe_topics(glance: Glance, cursor: Cursor) -> Iterator[dg.AssetObservation]:
    if isinstance(glance.broker, Trouble):
        return
    for name, end in _totals(glance.broker).items():
        if cursor.ends.get(name) != end:
            rate = _rate(name, glance, cursor)
            figures: dict[str, Any] = {"end offset": end}
            figures |= {} if rate is None else {"records a second": round(rate, 2)}
            yield dg.AssetObservation(asset_key=topic_key(name), metadata=figures)


def _observe_index(glance: Glance, cursor: Cursor) -> Iterator[dg.AssetObservation]:
    index, broker = glance.index, glance.broker
    if isinstance(index, Trouble) or index.alerts == cursor.alerts:
        return
    figures: dict[str, Any] = {"alerts": index.alerts}
    if not isinstance(broker, Trouble):
        figures["lag, records"] = broker.alerts_lag
    yield dg.AssetObservation(asset_key=INDEX, metadata=figures)


def _tell_commits(glance: Glance, told: Mapping[str, Told]) -> Iterator[dg.AssetMaterialization]:
    """A table is new when its sink has moved on, or rows have come or gone; not after upkeep."""
    if isinstance(glance.lake, Trouble):
        return
    for head in glance.lake:
        if head.snapshot_id is not None and told.get(head.table) != describe(head):
            yield dg.AssetMaterialization(
                asset_key=table_key(head.table), metadata=_describe_table(head)
            )


def _describe_table(head: TableHead) -> dict[str, Any]:
    return {
        ROWS: head.rows,
        READ_UP_TO: describe(head).read_up_to,
        "dagster/uri": head.location,
        "files": head.files,
        "bytes": head.bytes,
        "snapshot": str(head.snapshot_id),  # plotted as a number it would say nothing
    }


def _totals(broker: BrokerGlance) -> dict[str, int]:
    return {name: broker.total(name) for name in broker.ends}


def _absence(incident: Incident, cursor: Cursor, now: float) -> float | None:
    if not incident.is_absent:
        return None
    return now if cursor.absent_since is None else cursor.absent_since


def _rate(topic: str, glance: Glance, cursor: Cursor) -> float | None:
    """Records a second since the tick before."""
    if isinstance(glance.broker, Trouble) or topic not in cursor.ends or cursor.at is None:
        return None
    seconds = glance.at.timestamp() - cursor.at
    return (glance.broker.total(topic) - cursor.ends[topic]) / seconds if seconds > 0 else None


def _tell(glance: Glance, cursor: Cursor, incident: Incident) -> str:
    """The line of the tick: a list of them reads like a log."""
    parts = [incident.sentence] if incident.sentence else [_tell_job(glance.stream)]
    if not isinstance(glance.broker, Trouble):
        rate = _rate("transactions", glance, cursor)
        speed = "" if rate is None else f" at {rate:,.0f}/s"
        parts.append(f"{glance.broker.job_lag:,} transactions wait{speed}")
    if not isinstance(glance.lake, Trouble):
        parts += [
            f"{head.rows:,} decisions stored" for head in glance.lake if head.table == "decisions"
        ] or ["no tables yet"]
    if not isinstance(glance.index, Trouble):
        parts.append(f"{glance.index.alerts:,} alerts")
    return "; ".join([*(part for part in parts if part), *glance.troubles])


def _tell_job(stream: StreamGlance | Trouble) -> str:
    if isinstance(stream, Trouble):
        return ""
    if stream.job is None:
        return "no job"
    age = stream.checkpoint_age_s
    checkpoint = "no checkpoint yet" if age is None else f"newest checkpoint {age:.0f} s old"
    return f"job {stream.job.state}, {checkpoint}"
