"""Copy the documents of an index into another, as they are, while the first one is written to.

Each document takes the number of its last change along as its version. So of two states of a
document the newer one stays, in whatever order they arrive, and copying again changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from elasticsearch import ApiError, TransportError

from pipelines.errors import SinkError, TransientError
from sinks.alerts.backoff import Backoff
from sinks.alerts.client import BUSY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from random import Random

    from elasticsearch import Elasticsearch

PAGE = 1_000
MAX_REQUEST_BYTES = 8_000_000
PATIENCE_SECONDS = 120.0
"""How long a busy server is asked again before the copy is given up."""
_KEEP_ALIVE = "5m"
_TOO_LARGE = 413
_ANSWER = "items.*.status,items.*._id,items.*.error.type,items.*.error.reason"
_DIGEST_MODULUS = 1 << 128

Hit = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """How many documents, and the sum of their hashes: the same in whatever order they come."""

    documents: int = 0
    digest: int = 0

    def with_documents(self, hits: Sequence[Hit]) -> Content:
        """This and ``hits``.

        >>> one, two = {"_id": "1", "_source": {"a": 1}}, {"_id": "2", "_source": {"a": 1}}
        >>> Content().with_documents([one, two]) == Content().with_documents([two, one])
        True
        >>> Content().with_documents([one]) == Content().with_documents([two])
        False
        """
        digest = sum((_hash(hit) for hit in hits), self.digest) % _DIGEST_MODULUS
        return Content(documents=self.documents + len(hits), digest=digest)


def read_checkpoint(client: Elasticsearch, index: str) -> int:
    """A number of a change: it and all before it are seen by whoever looks from now on.

    The lowest of all shards, because each counts its own changes. -1 before the first one.
    """
    stats = client.indices.stats(index=index, level="shards")
    return min(
        int(copy["seq_no"]["global_checkpoint"])
        for one in stats["indices"].values()
        for copies in one["shards"].values()
        for copy in copies
        if copy["routing"]["primary"]
    )


def scan(client: Elasticsearch, index: str, *, after: int = -1) -> Iterator[list[Hit]]:
    """Page by page every document as of now whose last change has a number above ``after``."""
    client.indices.refresh(index=index)
    pit = str(client.open_point_in_time(index=index, keep_alive=_KEEP_ALIVE)["id"])
    query = None if after < 0 else {"range": {"_seq_no": {"gt": after}}}
    last: list[Any] | None = None
    try:
        while True:
            page = client.search(
                pit={"id": pit, "keep_alive": _KEEP_ALIVE},
                query=query,
                size=PAGE,
                sort=["_shard_doc"],
                search_after=last,
                seq_no_primary_term=True,
                track_total_hits=False,
                allow_partial_search_results=False,
            )
            hits = page["hits"]["hits"]
            if not hits:
                return
            yield hits
            last = hits[-1]["sort"]
    finally:
        # It ends by itself too; a failure here says nothing about the documents.
        with suppress(ApiError, TransportError):
            client.close_point_in_time(id=pit)


def write_copies(client: Elasticsearch, target: str, hits: Sequence[Hit], *, rng: Random) -> None:
    """Write ``hits`` to the alias ``target``, in requests that the server takes.

    SinkError when the mapping refuses a document, or when ``target`` was taken away; nothing is
    ever written to an index that Elasticsearch would make up. TransientError when the server stays
    busy.
    """
    operations = [_operation(hit) for hit in hits]
    for chunk in _split(operations):
        _send_all(client, target, chunk, Backoff(rng))


def _send_all(
    client: Elasticsearch, target: str, chunk: list[list[bytes]], backoff: Backoff
) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while chunk:
        reason = ""
        lines: list[Any] = [line for operation in chunk for line in operation]
        try:
            replies = client.bulk(
                index=target,
                operations=lines,
                require_alias=True,
                filter_path=_ANSWER,
            )["items"]
        except ApiError as error:
            if error.status_code == _TOO_LARGE and len(chunk) > 1:
                middle = len(chunk) // 2
                for half in (chunk[:middle], chunk[middle:]):
                    _send_all(client, target, half, backoff)
                return
            if error.status_code not in BUSY:
                raise
            reason = f"{error.status_code} {error.message}"
        except TransportError as error:
            reason = str(error.message)
        else:
            left: list[list[bytes]] = []
            for operation, item in zip(chunk, replies, strict=True):
                if why := _judge(item["index"], target):
                    left.append(operation)
                    reason = why
            chunk = left
        if not chunk:
            return
        if time.monotonic() > deadline:
            msg = f"Elasticsearch has been too busy for {PATIENCE_SECONDS:.0f} s to copy: {reason}"
            raise TransientError(msg)
        time.sleep(backoff.next_seconds())


def _judge(reply: Mapping[str, Any], target: str) -> str:
    """Why to send a document again; empty if it is in."""
    status = int(reply["status"])
    # 409: a newer state of the document is there.
    if 200 <= status < 300 or status == 409:
        return ""
    error = reply.get("error", {})
    reason = f"{status} {error.get('type')}: {error.get('reason')}"
    if status == 429 or status >= 500:
        return reason
    if status == 404:
        msg = (
            f"the copy behind {target} was taken away while it was written: another `fraudlake "
            "alerts apply` is at work. Nothing is lost; wait for its end"
        )
        raise SinkError(msg)
    msg = (
        f"the new mapping refuses document {reply.get('_id')}: {reason}. Nothing was changed: "
        "correct the template or the document, then try again"
    )
    raise SinkError(msg)


def _operation(hit: Hit) -> list[bytes]:
    action = {"_id": hit["_id"], "version": hit["_seq_no"] + 1, "version_type": "external_gte"}
    if "_routing" in hit:
        action["routing"] = hit["_routing"]
    return [_dump({"index": action}), _dump(hit["_source"])]


def _split(operations: Sequence[list[bytes]]) -> Iterator[list[list[bytes]]]:
    chunk: list[list[bytes]] = []
    size = 0
    for operation in operations:
        more = sum(len(line) + 1 for line in operation)
        if chunk and size + more > MAX_REQUEST_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(operation)
        size += more
    if chunk:
        yield chunk


def _hash(hit: Hit) -> int:
    text = json.dumps([hit["_id"], hit["_source"]], sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "big")


def _dump(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
