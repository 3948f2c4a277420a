"""Bring every revision of a batch to an end: stored, replaced by a newer one, or refused.

The order in which revisions of one alert arrive is the order of the topic. To keep it through
partial failures and retries, at most one revision of an alert is ever under way:

1. of each alert only the newest revision of the batch is sent; the older ones are history;
2. what the server is too busy for is sent again, after a wait, until it is taken;
3. a revision the mapping refuses is set aside, and the one before it is sent in its place;
4. a partition that another sink has taken over meanwhile is left to it: a revision sent now
   could overwrite a newer one. A sink that stood still asks first whether that has happened.

Each attempt says its own time, so an alert that waited for the index is seen to have come late.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pipelines.errors import TransientError
from sinks.alerts.backoff import Backoff
from sinks.alerts.bulk import (
    ItemReply,
    RequestTooLargeError,
    Verdict,
    classify,
    explain_stop,
)
from sinks.alerts.document import Document

if TYPE_CHECKING:
    from datetime import datetime
    from random import Random

    from sinks.alerts.reader import Record

MAX_REQUEST_BYTES = 8_000_000
_LOG = logging.getLogger(__name__)

Send = Callable[[Sequence[Document]], list[ItemReply]]


class Draft(Protocol):
    """A document without the time at which it is sent."""

    @property
    def id(self) -> str:
        """Of the alert."""
        ...

    def at(self, moment: datetime) -> Document:
        """What to send then."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """One record of the topic, and the document it makes."""

    record: Record
    draft: Draft


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A record that cannot be stored: a code, and a sentence for people."""

    record: Record
    reason: str
    detail: str


@dataclass(slots=True, kw_only=True)
class Settled:
    """How a batch ended; not ``is_complete`` when the sink was told to stop before that."""

    refused: list[Refused] = field(default_factory=list)
    stored: int = 0
    is_complete: bool = True


class Patience(Protocol):
    """How to wait while staying a member of the consumer group."""

    def wait(self, seconds: float) -> bool:
        """Let the time pass; False when the sink shall stop."""
        ...

    def assure(self) -> None:
        """TransientError if what is in hand may be another's by now."""
        ...

    def holds(self, partition: int) -> bool:
        """Whether the partition is still ours."""
        ...


def settle(
    revisions: Sequence[Revision],
    *,
    send: Send,
    patience: Patience,
    rng: Random,
    now: Callable[[], datetime],
) -> Settled:
    """Bring ``revisions``, in the order of the topic, to an end; SinkError when that cannot be.

    TransientError when the group may have given them to another sink.
    """
    settled = Settled()
    backoff = Backoff(rng)
    waiting = _group(revisions)
    while True:
        reason = _attempt(waiting, send, patience, settled, now())
        if not waiting:
            return settled
        if not reason:  # an older revision takes the place of a refused one: no need to wait
            continue
        seconds = backoff.next_seconds()
        _LOG.warning(
            "event=retry alerts=%d attempt=%d wait_s=%.1f reason=%r",
            len(waiting),
            backoff.attempts,
            seconds,
            reason,
        )
        if not patience.wait(seconds):
            settled.is_complete = False
            return settled
        _drop_lost(waiting, patience)


def _group(revisions: Sequence[Revision]) -> dict[str, list[Revision]]:
    waiting: dict[str, list[Revision]] = {}
    for revision in revisions:
        waiting.setdefault(revision.draft.id, []).append(revision)
    return waiting


def _drop_lost(waiting: dict[str, list[Revision]], patience: Patience) -> None:
    lost = [
        alert for alert, stack in waiting.items() if not patience.holds(stack[-1].record.partition)
    ]
    for alert in lost:
        del waiting[alert]


def _attempt(
    waiting: dict[str, list[Revision]],
    send: Send,
    patience: Patience,
    settled: Settled,
    moment: datetime,
) -> str:
    """Send the newest revision of each waiting alert once; why some must be sent again, or ''."""
    reason = ""
    chunks = list(_split([stack[-1].draft.at(moment) for stack in waiting.values()]))
    while chunks:
        chunk = chunks.pop(0)
        patience.assure()
        try:
            replies = send(chunk)
        except TransientError as error:
            return str(error)
        except RequestTooLargeError:
            if len(chunk) > 1:
                middle = len(chunk) // 2
                chunks[:0] = [chunk[:middle], chunk[middle:]]
                continue
            replies = [ItemReply(status=413, error="too_large", reason="larger than a request")]
        for document, reply in zip(chunk, replies, strict=True):
            match classify(reply):
                case Verdict.DONE:
                    del waiting[document.id]
                    settled.stored += 1
                case Verdict.RETRY:
                    reason = f"{reply.status} {reply.error}: {reply.reason}"
                case Verdict.DEAD:
                    _set_aside(document, reply, waiting, settled)
                case Verdict.STOP:
                    raise explain_stop(reply, document)
    return reason


def _set_aside(
    document: Document, reply: ItemReply, waiting: dict[str, list[Revision]], settled: Settled
) -> None:
    detail = f"Elasticsearch refuses the document: {reply.reason}"
    stack = waiting[document.id]
    refused = stack.pop()
    settled.refused.append(Refused(record=refused.record, reason=reply.error, detail=detail))
    if not stack:
        del waiting[document.id]


def _split(documents: Sequence[Document]) -> Iterator[list[Document]]:
    """Requests of at most ``MAX_REQUEST_BYTES``, each with at least one document."""
    chunk: list[Document] = []
    size = 0
    for document in documents:
        bytes_more = len(document.action) + len(document.body) + 2
        if chunk and size + bytes_more > MAX_REQUEST_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(document)
        size += bytes_more
    if chunk:
        yield chunk
