"""The alert sink: from the ``alerts`` topic into the index, each alert once, edits kept.

For each batch, in this order:

1. read up to ``BATCH_RECORDS`` committed records;
2. parse each into an alert and a document, or refuse it;
3. write the documents, trying again for as long as the index is away or busy;
4. write a dead letter for each refused record, confirmed by the broker;
5. move the group's offsets.

A crash anywhere before 5 brings the same records again. That is harmless: an update that is stored
already changes nothing. Nothing is skipped, because nothing moves the offsets but 5.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING

from pipelines.contracts.faults import ContractFault
from pipelines.errors import TransientError
from pipelines.kafka import connect_producer, create_topics
from sinks.alerts.alert import parse_alert
from sinks.alerts.backoff import Backoff
from sinks.alerts.bulk import NO_INDEX, ItemReply, send_bulk
from sinks.alerts.client import BLOCKED, CLOSED, connect, translate_errors
from sinks.alerts.document import Document, Origin, draft_document
from sinks.alerts.letters import write_letters
from sinks.alerts.months import Months
from sinks.alerts.reader import AlertReader, Record
from sinks.alerts.settle import Refused, Revision, settle
from sinks.alerts.template import put_template
from sinks.alerts.travel import travel_of

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Sequence

    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings
    from sinks.alerts.travel import Travel

BATCH_RECORDS = 500
BATCH_SECONDS = 0.2
_LOG = logging.getLogger(__name__)


def run(
    settings: Settings,
    *,
    stop: threading.Event,
    on_session: Callable[[bool], None] = lambda _: None,
) -> None:
    """Index alerts until ``stop`` is set; SinkError when going on would lose or corrupt alerts.

    Kafka or Elasticsearch being away, at the start or later, is waited out, and logged.
    ``on_session`` is told when everything answers, and when that has ended.
    """
    rng = Random()
    backoff = Backoff(rng)
    while not stop.is_set():
        try:
            _run_session(
                settings, stop=stop, rng=rng, on_progress=backoff.reset, on_session=on_session
            )
        except TransientError as error:
            seconds = backoff.next_seconds()
            _LOG.warning(
                "event=session_lost attempt=%d wait_s=%.1f reason=%r",
                backoff.attempts,
                seconds,
                str(error),
            )
            stop.wait(seconds)


def name_group(settings: Settings) -> str:
    """The consumer group: another index is another group, and so is filled from the beginning."""
    return f"{settings.kafka.topic_prefix}alert-sink.{settings.elasticsearch.index}"


def _run_session(
    settings: Settings,
    *,
    stop: threading.Event,
    rng: Random,
    on_progress: Callable[[], None],
    on_session: Callable[[bool], None],
) -> None:
    """Read and write with one set of clients, until told to stop or something gets lost."""
    topics = settings.kafka.topics()
    create_topics(settings.kafka, (topics.alerts, topics.dead_letters))
    with connect(settings.elasticsearch) as client:
        with translate_errors(settings.elasticsearch):
            change = put_template(client, settings.elasticsearch)
        session = _Session(on_session)
        send = _make_send(client, settings, session)
        producer = connect_producer(settings.kafka)
        group = name_group(settings)
        reader = AlertReader(settings.kafka, topic=topics.alerts.name, group=group, stop=stop)
        _LOG.info("event=started group=%s template=%s", group, change)
        stored = 0
        session.set(is_open=True)
        try:
            while not stop.is_set():
                # 1. read
                records = reader.read(BATCH_RECORDS, BATCH_SECONDS)
                if not records:
                    continue
                # 2. parse
                revisions, refused = _prepare(records, index=settings.elasticsearch.index)
                # 3. write
                settled = settle(revisions, send=send, patience=reader, rng=rng, now=_now)
                if not settled.is_complete:
                    break
                # 4. set aside
                refused += settled.refused
                if refused:
                    name = topics.dead_letters.name
                    write_letters(producer, name, refused, failed_at=_now())
                    _log_refused(refused)
                # 5. move on
                reader.commit(records)
                on_progress()
                stored += settled.stored
                _LOG.debug("event=batch records=%d stored=%d", len(records), settled.stored)
        finally:
            session.set(is_open=False)
            reader.close()
            _LOG.info("event=session_closed stored=%d", stored)


class _Session:
    """Tells of each change once."""

    def __init__(self, tell: Callable[[bool], None]) -> None:
        self._tell = tell
        self._is_open = False

    def set(self, *, is_open: bool) -> None:
        if is_open != self._is_open:
            self._is_open = is_open
            self._tell(is_open)


def _make_send(
    client: Elasticsearch, settings: Settings, session: _Session
) -> Callable[[Sequence[Document]], list[ItemReply]]:
    months = Months(client, settings.elasticsearch)

    def send(documents: Sequence[Document]) -> list[ItemReply]:
        try:
            months.prepare(document.index for document in documents)
            replies = send_bulk(client, documents, settings.elasticsearch)
        except TransientError:
            session.set(is_open=False)  # the index is away; it is asked again within the session
            raise
        # A month that is closed to writing holds up the alerts of all.
        session.set(is_open=not any(reply.error in {BLOCKED, CLOSED} for reply in replies))
        for document, reply in zip(documents, replies, strict=True):
            if reply.error == NO_INDEX:
                months.forget(document.index)
        return replies

    return send


def _prepare(records: Sequence[Record], *, index: str) -> tuple[list[Revision], list[Refused]]:
    revisions: list[Revision] = []
    refused: list[Refused] = []
    # Of each alert only the newest revision of a batch is sent: it takes the journey along.
    travels: dict[str, Travel] = {}
    for record in records:
        origin = Origin(topic=record.topic, partition=record.partition, offset=record.offset)
        try:
            alert = parse_alert(record.value)
            if (travel := travel_of(alert)) is not None:
                travels[alert.alert_id] = travel
            draft = draft_document(
                alert, origin=origin, index=index, travel=travels.get(alert.alert_id)
            )
        except ContractFault as fault:
            one = Refused(record=record, reason=fault.reason.value, detail=fault.detail)
            refused.append(one)
        else:
            revisions.append(Revision(record=record, draft=draft))
    return revisions, refused


def _now() -> datetime:
    return datetime.now(UTC)


def _log_refused(refused: Sequence[Refused]) -> None:
    # Without the sentence: it may quote the record. It is in the dead letter.
    for one in refused:
        _LOG.warning(
            "event=dead_letter partition=%d offset=%d reason=%s",
            one.record.partition,
            one.record.offset,
            one.reason,
        )
