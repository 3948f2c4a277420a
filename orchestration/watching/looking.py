"""Asking every system at once, each for a few seconds at most.

A system that does not answer costs the others nothing: each is asked in a thread of its own, which
is left behind if it does not end in time (a catalog behind a dead network takes a minute to fail).
"""

from __future__ import annotations

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, TypeVar

from orchestration.watching.glance import (
    LATE_S,
    TOO_LATE_S,
    BrokerGlance,
    Glance,
    JobNotes,
    Late,
    StreamGlance,
    Trouble,
    count_late,
)
from pipelines.errors import FraudlakeError, RulesetError, TerminalError
from pipelines.flink import FlinkRest
from pipelines.job_memory import is_being_changed, remembered
from pipelines.kafka import (
    count_records,
    find_records,
    read_group_offsets,
    read_offsets,
    read_offsets_at,
)
from pipelines.published_rules import read_published
from pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping
    from concurrent.futures import Future
    from datetime import datetime

    from pipelines.kafka import OffsetRange
    from pipelines.settings import KafkaSettings

QUESTION_SECONDS = 2.0
LOOK_SECONDS = 5.0
"""The longest that a whole look takes."""
HOUR_MS = 3_600_000
COUNT_SECONDS = 0.5
"""So long dead letters are counted; those of an hour that takes longer are too many anyway."""
WATCHED_TOPICS = ("transactions", "customers", "labels", "decisions", "alerts", "dead_letters")
WRITTEN_TOPICS = ("decisions", "alerts", "dead_letters")
"""By the job, in transactions."""
_FAULTS = (OSError, ValueError, TypeError, AttributeError, LookupError, RuntimeError)
_Answer = TypeVar("_Answer")
_LOG = logging.getLogger(__name__)


class Lookout:
    """Looks once at everything; the resource of the watching sensor."""

    def look(self, now: datetime) -> Glance:
        """What there is. A system that is away is a Trouble; SettingsError for a wrong setting."""
        settings = Settings.from_env()
        # Imported before the clock runs: the first time it takes a second or more.
        from sinks.alerts.glance import look_at_index
        from sinks.lakehouse.heads import read_heads

        deadline = time.monotonic() + LOOK_SECONDS
        executor = ThreadPoolExecutor(max_workers=5, thread_name_prefix="look")
        try:
            asked_notes = executor.submit(read_notes, settings)
            asked_stream = executor.submit(look_at_stream, settings)
            asked_broker = executor.submit(look_at_broker, settings, now)
            asked_index = executor.submit(look_at_index, settings, seconds=QUESTION_SECONDS)
            asked_lake = executor.submit(read_heads, settings)
            notes = _await("the notes of the job", asked_notes, deadline)
            stream = _await(f"Flink at {settings.flink.rest_url}", asked_stream, deadline)
            broker = _await(f"Kafka at {settings.kafka.bootstrap_servers}", asked_broker, deadline)
            index = _await(f"Elasticsearch at {settings.elasticsearch.url}", asked_index, deadline)
            lake = _await(_name_lake(settings), asked_lake, deadline)
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
        return Glance(at=now, notes=notes, stream=stream, broker=broker, index=index, lake=lake)


def read_notes(settings: Settings) -> JobNotes:
    """What the stack's home says of the job and its rules."""
    known = remembered(settings)
    return JobNotes(
        deployed_id=None if known is None else known.job_id,
        is_stopped=known is not None and known.is_stopped,
        is_being_changed=is_being_changed(settings),
        published=_read_published(settings),
        revived=() if known is None else known.revived,
        given_up="" if known is None else known.given_up,
    )


def _read_published(settings: Settings) -> str | Trouble | None:
    """A publication that cannot be read is no reason to let the job lie."""
    try:
        published = read_published(settings)
    except RulesetError as error:
        return Trouble(sentence=str(error))
    return None if published is None else published.version


def look_at_stream(settings: Settings) -> StreamGlance:
    """The job as the cluster sees it; TransientError if that is away."""
    rest = FlinkRest(settings.flink.rest_url, request_seconds=QUESTION_SECONDS)
    known = remembered(settings)
    jobs = rest.jobs(settings.flink.job_name)
    chosen = [job for job in jobs if job.is_active]
    chosen += [job for job in jobs if known is not None and job.job_id == known.job_id]
    job = next(iter([*chosen, *jobs]), None)
    if job is None:
        return StreamGlance(
            job=None, checkpoints=None, restarts=None, ruleset=None, url=settings.flink.rest_url
        )
    return StreamGlance(
        job=job,
        checkpoints=rest.checkpoints(job.job_id),
        restarts=rest.read_restarts(job.job_id) if job.is_active else None,
        ruleset=rest.parameters(job.job_id).get("ruleset"),
        failures=rest.failures(job.job_id),
        url=settings.flink.page_of(job.job_id),
    )


def _name_lake(settings: Settings) -> str:
    """Catalog and warehouse: which of the two is silent, nobody has said."""
    lakehouse = settings.lakehouse
    places = [place for place in (lakehouse.catalog_uri, lakehouse.warehouse) if place != ""]
    return f"the lakehouse ({', '.join(places) or settings.stack.home / 'lakehouse'})"


def look_at_broker(settings: Settings, now: datetime) -> BrokerGlance:
    """Ends of the topics, and how far behind their readers are; TransientError if it is away."""
    kafka, topics = settings.kafka, settings.kafka.topics()
    held = {
        name: read_offsets(kafka, getattr(topics, name).name, seconds=QUESTION_SECONDS)
        for name in WATCHED_TOPICS
    }
    if absent := [name for name, parts in held.items() if not parts]:
        msg = (
            f"there is no topic {getattr(topics, absent[0]).name} at {kafka.bootstrap_servers}: "
            f"materialize kafka/{absent[0]}"
        )
        raise TerminalError(msg)
    now_ms = int(now.timestamp() * 1000)
    late = (now_ms - LATE_S * 1000, now_ms - TOO_LATE_S * 1000)
    job_group, alert_group = _groups(settings)
    decided = _read_done(kafka, job_group, topics.transactions.name, held["transactions"])
    shown = _skip_marks(
        kafka,
        topics.alerts.name,
        _read_done(kafka, alert_group, topics.alerts.name, held["alerts"]),
        held["alerts"],
    )
    decisions_before = read_offsets_at(
        kafka, topics.decisions.name, *late, seconds=QUESTION_SECONDS
    )
    alerts_before = read_offsets_at(kafka, topics.alerts.name, *late, seconds=QUESTION_SECONDS)
    return BrokerGlance(
        ends={name: {part: one.end for part, one in parts.items()} for name, parts in held.items()},
        job_lag=_lag(held["transactions"], decided),
        alerts_lag=_lag(held["alerts"], shown),
        alerts_late=count_late((alerts_before[0], alerts_before[1]), shown),
        decisions_before=(decisions_before[0], decisions_before[1]),
        hidden=_find_hidden(settings, held, late),
        letters_last_hour=_count_letters(
            kafka, topics.dead_letters.name, now_ms - HOUR_MS, held["dead_letters"]
        ),
        transactions_last_hour=_count_since(
            kafka, topics.transactions.name, now_ms - HOUR_MS, held["transactions"]
        ),
    )


def _groups(settings: Settings) -> tuple[str, str]:
    """The consumer groups of the job and of the alert sink."""
    from sinks.alerts.run import name_group

    return f"{settings.kafka.topic_prefix}{settings.flink.job_name}", name_group(settings)


def _read_done(
    kafka: KafkaSettings, group: str, topic: str, held: Mapping[int, OffsetRange]
) -> dict[int, int]:
    """Up to where a group has come; what was never read begins where the topic does."""
    read = read_group_offsets(kafka, group, topic, seconds=QUESTION_SECONDS)
    return {partition: read.get(partition, one.start) for partition, one in held.items()}


def _skip_marks(
    kafka: KafkaSettings, topic: str, done: Mapping[int, int], held: Mapping[int, OffsetRange]
) -> dict[int, int]:
    """``done`` up to the next record, else to the end.

    The alert sink's offsets move behind records alone. What then lies before the end may be marks
    of Kafka's own transactions, any number of them, and nothing but a look tells them from alerts.
    """
    behind = {part: offset for part, offset in done.items() if offset < held[part].end}
    found = find_records(kafka, topic, behind, seconds=QUESTION_SECONDS)
    ends = {part: held[part].end for part in behind}
    return {**done, **ends, **found}


def _lag(held: Mapping[int, OffsetRange], done: Mapping[int, int]) -> int:
    return sum(max(0, one.end - done[partition]) for partition, one in held.items())


def _find_hidden(
    settings: Settings, held: Mapping[str, Mapping[int, OffsetRange]], late: tuple[int, int]
) -> Late:
    """What is older than ``late`` and still lies behind the end that readers see.

    No lag shows it: every reader has read all that it may.
    """
    found = []
    for name in WRITTEN_TOPICS:
        topic = getattr(settings.kafka.topics(), name).name
        five, fifteen = read_offsets_at(
            settings.kafka, topic, *late, is_committed=False, seconds=QUESTION_SECONDS
        )
        ends = {part: one.end for part, one in held[name].items()}
        found.append(count_late((five, fifteen), ends))
    return Late(late=sum(one.late for one in found), too_late=sum(one.too_late for one in found))


def _count_since(
    kafka: KafkaSettings, topic: str, moment_ms: int, held: Mapping[int, OffsetRange]
) -> int:
    """Of a topic that is written without transactions, where each offset is a record."""
    [begin] = read_offsets_at(kafka, topic, moment_ms, seconds=QUESTION_SECONDS)
    return sum(max(0, one.end - begin.get(part, one.start)) for part, one in held.items())


def _count_letters(
    kafka: KafkaSettings, topic: str, moment_ms: int, held: Mapping[int, OffsetRange]
) -> int:
    """By reading them: between a few letters lie as many marks of the job's transactions."""
    [begin] = read_offsets_at(kafka, topic, moment_ms, seconds=QUESTION_SECONDS)
    begins = {part: begin[part] for part, one in held.items() if begin[part] < one.end}
    return count_records(kafka, topic, begins, seconds=COUNT_SECONDS) if begins else 0


def _await(whom: str, future: Future[_Answer], deadline: float) -> _Answer | Trouble:
    """Its answer, or why there is none."""
    try:
        return future.result(max(0.0, deadline - time.monotonic()))
    except FutureTimeoutError:
        return Trouble(sentence=f"{whom} did not answer within {LOOK_SECONDS:.0f} s")
    except FraudlakeError as error:
        return Trouble(sentence=str(error))
    except _FAULTS as error:
        # A client's or our own, such as an answer of a kind that nobody foresaw: the other systems
        # are seen all the same, and whoever mends it finds where it was.
        _LOG.exception("event=look_failed whom=%r", whom)
        return Trouble(
            sentence=f"{whom} could not be looked at: {type(error).__name__}: {error}. The log of "
            "the code server has where"
        )
