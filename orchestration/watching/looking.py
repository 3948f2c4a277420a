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

from orchestration.watching.broker import look_at_broker
from orchestration.watching.glance import Glance, JobNotes, StreamGlance, Trouble
from pipelines.errors import FraudlakeError, RulesetError
from pipelines.flink import FlinkRest
from pipelines.job_memory import is_being_changed, remembered
from pipelines.published_rules import read_published
from pipelines.settings import Settings

if TYPE_CHECKING:
    from concurrent.futures import Future
    from datetime import datetime

QUESTION_SECONDS = 2.0
LOOK_SECONDS = 5.0
"""The longest that a whole look takes."""
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
            asked_broker = executor.submit(look_at_broker, settings, now, seconds=QUESTION_SECONDS)
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
