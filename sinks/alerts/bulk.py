"""One bulk request, and what the answer to each of its items means.

Elasticsearch's own helpers know two ends, accepted and failed. A sink needs four: done, try again,
set aside, and stop, because the fault is not the item's.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

from elasticsearch import ApiError, TransportError

from pipelines.errors import SinkError, TransientError
from sinks.alerts.client import BLOCKED, CLOSED, explain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.settings import ElasticsearchSettings
    from sinks.alerts.document import Document

_ANSWER = "items.*.status,items.*.error.type,items.*.error.reason"
_TOO_LARGE = 413
_OF_THE_DOCUMENT = frozenset(
    {
        "document_parsing_exception",
        "mapper_parsing_exception",
        "strict_dynamic_mapping_exception",
    }
)
_ARGUMENT = "illegal_argument_exception"
_TERM_TOO_LONG = "Document contains at least one immense term"
"""The one reason of an ``illegal_argument_exception`` for which a document can be blamed."""
_NO_WRITE_INDEX = "no write index is defined"
NO_INDEX = "index_not_found_exception"
"""The month was deleted, a moment ago or since its last alert; it is made anew."""
_SERVER_PATIENCE = "20s"
"""Shorter than the client's, so that a write the client gave up cannot land after a newer one."""


class Verdict(StrEnum):
    """What becomes of an item."""

    DONE = "done"
    RETRY = "retry"
    DEAD = "dead"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemReply:
    """The answer to one item; ``error`` and ``reason`` are empty when it was accepted."""

    status: int
    error: str = ""
    reason: str = ""


class RequestTooLargeError(Exception):
    """The server takes fewer bytes at once: halve the request."""


class BulkClient(Protocol):
    """The part of the Elasticsearch client that writes."""

    def bulk(self, *, operations: Any, filter_path: str, timeout: str) -> Any:
        """Send the lines of one bulk request; the decoded answer."""
        ...


def send_bulk(
    client: BulkClient, documents: Sequence[Document], settings: ElasticsearchSettings
) -> list[ItemReply]:
    """Send ``documents`` in one request; one reply for each, in the same order.

    Raises RequestTooLargeError, TransientError (away, busy: nothing is known about any item, send
    all again) or SinkError. Sending again is harmless: an update that is already stored is a noop.
    """
    lines = [line for document in documents for line in (document.action, document.body)]
    try:
        answer = client.bulk(operations=lines, filter_path=_ANSWER, timeout=_SERVER_PATIENCE)
    except (ApiError, TransportError) as error:
        if isinstance(error, ApiError) and error.status_code == _TOO_LARGE:
            raise RequestTooLargeError from error
        raise explain(error, settings) from error
    replies = [_read_reply(item["update"]) for item in answer["items"]]
    if len(replies) != len(documents):
        msg = f"Elasticsearch answered {len(replies)} of {len(documents)} items of a bulk request"
        raise TransientError(msg)
    return replies


def classify(reply: ItemReply) -> Verdict:
    """What to do with an item after its reply.

    409: somebody edited the document at the same moment. 429 and 5xx: the server is busy or a
    shard is away. A block, be it 403 or 429, or a closed index: it is closed until it is built
    anew, a full disk has room, or an operator opens it. 400: only where the answer speaks of the
    document can that document never be stored as the mapping is. Any other 400 speaks of the
    cluster or of the index (too many shards, an alias without a write index) and is every
    document's: as dead letters, a whole month would be.
    """
    if 200 <= reply.status < 300:
        return Verdict.DONE
    if (
        reply.error in {BLOCKED, CLOSED, NO_INDEX}
        or reply.status in {409, 429}
        or reply.status >= 500
    ):
        return Verdict.RETRY
    if reply.status == _TOO_LARGE or (reply.status == 400 and _is_of_the_document(reply)):
        return Verdict.DEAD
    return Verdict.STOP


def explain_stop(reply: ItemReply, document: Document) -> SinkError:
    """Why the sink stops at this reply, and what to do."""
    remedies = {
        401: "check the user, password or API key",
        403: f"give the sink's user the right to write to {document.index}",
        404: "the index was removed; start the sink again, it puts template and index in place",
    }
    remedy = remedies.get(reply.status, "this is a fault of the cluster or of the sink")
    if reply.reason.startswith(_NO_WRITE_INDEX):
        remedy = f"say which index of the alias {document.index} is written to (is_write_index)"
    msg = (
        f"Elasticsearch refuses to write to {document.index}: "
        f"{reply.status} {reply.error}: {reply.reason}. Nothing is lost: {remedy}"
    )
    return SinkError(msg)


def _is_of_the_document(reply: ItemReply) -> bool:
    if reply.error == _ARGUMENT:
        return reply.reason.startswith(_TERM_TOO_LONG)
    return reply.error in _OF_THE_DOCUMENT


def _read_reply(item: dict[str, Any]) -> ItemReply:
    error = item.get("error") or {}
    return ItemReply(
        status=int(item["status"]),
        error=str(error.get("type", "")),
        reason=str(error.get("reason", "")),
    )
