"""A month in a new index, under the eyes of a sink that writes and people who work on cases.

1. make the new index, with no alias but a token;
2. copy every document as of one moment, then read the copy back: the same documents, unchanged;
3. copy what changed meanwhile, until that is little;
4. close the old index to writing; the sink waits, an edit is refused with a sentence;
5. copy the last changes; both count the same;
6. in one step: the token goes, the old index goes, its name and the alias lead to the new one.

A crash before 6 leaves the old index as it was, perhaps closed to writing, and a copy that nobody
sees. ``discard_copies`` clears that away: it takes the token first, and 6 needs the token. So of
two who disagree on what becomes of a copy, one is refused. There is no moment without an index to
write to, and none in which an alert is found twice.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from elasticsearch import ApiError, NotFoundError, TransportError

from pipelines.errors import SinkError
from sinks.alerts.copying import Content, read_checkpoint, scan, write_copies
from sinks.alerts.indices import (
    MonthIndex,
    allow_writes,
    block_writes,
    count_documents,
    name_copy,
    name_discard,
    name_token,
    read_inventory,
)
from sinks.alerts.template import build_template

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from elasticsearch import Elasticsearch

LITTLE = 500
"""So many changes are copied in less time than anybody notices."""
MOST_ROUNDS = 10
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """How far a rebuild is."""

    what: str
    done: int
    total: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """A month that has a new index."""

    plain_name: str
    name: str
    documents: int
    closed_seconds: float
    """How long nothing could be written."""


def rebuild_month(
    client: Elasticsearch,
    alias: str,
    month: MonthIndex,
    *,
    number: int,
    rng: Random,
    on_step: Callable[[Step], None] = lambda _: None,
    confirm: Callable[[], None] = lambda: None,
) -> Rebuilt:
    """Give ``month`` an index made from the template of now; its ``number`` must be a new one.

    ``confirm`` is called before 4 and 6, and raises when another is at work. SinkError when the new
    mapping refuses a document, or another rebuild is at work. Whatever is raised, the old index is
    in place and open, unless Elasticsearch is away: then the next ``discard_copies`` opens it.
    """
    copy = name_copy(alias, month.month, number)
    parts = build_template(alias)["template"]
    token = name_token(copy)
    # 1. make the new index
    client.indices.create(
        index=copy,
        settings=parts["settings"],
        mappings=parts["mappings"],
        aliases={token: {}},
    )
    is_done = False
    try:
        # 2. copy, 3. catch up
        checkpoint = _fill(client, month, copy, rng, on_step)
        # 4. close
        confirm()
        closed_at = time.monotonic()
        block_writes(client, month.name)
        # 5. the last changes
        _copy(client, month, copy, rng, on_step, total=LITTLE, after=checkpoint)
        documents = _compare_counts(client, month, copy)
        # 6. all at once
        confirm()
        _swap(client, alias, month, copy)
        closed_seconds = time.monotonic() - closed_at
        is_done = True
    finally:
        if not is_done:
            _clear_away(client, alias, copy)
    _LOG.info(
        "event=rebuilt month=%s index=%s documents=%d closed_s=%.2f",
        month.plain_name,
        copy,
        documents,
        closed_seconds,
    )
    return Rebuilt(
        plain_name=month.plain_name,
        name=copy,
        documents=documents,
        closed_seconds=closed_seconds,
    )


def discard_copies(client: Elasticsearch, alias: str, *, only: str | None = None) -> list[str]:
    """Delete copies that were not finished, and open their months to writing again; their names.

    A copy of a rebuild that is still at work is taken from it: it ends with an error.
    """
    discarded: list[str] = []
    for copy in read_inventory(client, alias).copies:
        if only is not None and copy.name != only:
            continue
        token = name_token(copy.name)
        if token in copy.aliases:
            actions: list[dict[str, Any]] = [
                {"remove": {"index": copy.name, "alias": token, "must_exist": True}},
                {"add": {"index": copy.name, "alias": name_discard(copy.name)}},
            ]
            try:
                client.indices.update_aliases(actions=actions)
            except NotFoundError:
                continue  # it was finished, or discarded by another, a moment ago
        allow_writes(client.options(ignore_status=404), copy.plain_name)
        client.options(ignore_status=404).indices.delete(index=copy.name)
        _LOG.info("event=copy_discarded index=%s", copy.name)
        discarded.append(copy.name)
    return discarded


def _clear_away(client: Elasticsearch, alias: str, copy: str) -> None:
    try:
        discard_copies(client, alias, only=copy)
    except (ApiError, TransportError) as error:
        _LOG.warning(
            "event=copy_left index=%s reason=%r remedy='fraudlake alerts apply'", copy, str(error)
        )


def _fill(
    client: Elasticsearch,
    month: MonthIndex,
    copy: str,
    rng: Random,
    on_step: Callable[[Step], None],
) -> int:
    """Copy until little is left to copy; the number of the last change that is surely in."""
    checkpoint = read_checkpoint(client, month.name)
    total = count_documents(client, month.name)
    content = _copy(client, month, copy, rng, on_step, total=total)
    _read_back(client, copy, content, on_step)
    for _ in range(MOST_ROUNDS):
        newer = read_checkpoint(client, month.name)
        if newer - checkpoint <= LITTLE:
            break
        _copy(client, month, copy, rng, on_step, total=newer - checkpoint, after=checkpoint)
        checkpoint = newer
    return checkpoint


def _copy(
    client: Elasticsearch,
    month: MonthIndex,
    copy: str,
    rng: Random,
    on_step: Callable[[Step], None],
    *,
    total: int,
    after: int = -1,
) -> Content:
    what = "copying" if after < 0 else "catching up"
    content = Content()
    for hits in scan(client, month.name, after=after):
        write_copies(client, name_token(copy), hits, rng=rng)
        content = content.with_documents(hits)
        done = content.documents
        on_step(Step(what=what, done=done, total=max(total, done)))
    return content


def _read_back(
    client: Elasticsearch, copy: str, content: Content, on_step: Callable[[Step], None]
) -> None:
    found = Content()
    for hits in scan(client, copy):
        found = found.with_documents(hits)
        on_step(Step(what="reading back", done=found.documents, total=content.documents))
    if found != content:
        msg = (
            f"{copy} has {found.documents:,} documents, {content.documents:,} were copied into it, "
            "and they are not the same: somebody else writes to it. Nothing was changed"
        )
        raise SinkError(msg)


def _compare_counts(client: Elasticsearch, month: MonthIndex, copy: str) -> int:
    old, new = count_documents(client, month.name), count_documents(client, copy)
    if old != new:
        msg = (
            f"{month.name} has {old:,} documents and its copy {new:,}: somebody deleted documents "
            "while it was copied. Nothing was changed; try again"
        )
        raise SinkError(msg)
    return new


def _swap(client: Elasticsearch, alias: str, month: MonthIndex, copy: str) -> None:
    token = {"index": copy, "alias": name_token(copy), "must_exist": True}
    actions: list[dict[str, Any]] = [
        {"remove": token},
        {"remove_index": {"index": month.name}},
        {"add": {"index": copy, "alias": month.plain_name, "is_write_index": True}},
        {"add": {"index": copy, "alias": alias}},
    ]
    try:
        client.indices.update_aliases(actions=actions)
    except NotFoundError as error:
        msg = (
            f"the copy {copy} was taken away: another `fraudlake alerts apply` is at work. "
            "Nothing is lost; wait for its end"
        )
        raise SinkError(msg) from error
