from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import TYPE_CHECKING

import pytest

from pipelines.errors import SinkError, TransientError
from sinks.alerts import settle as settle_module
from sinks.alerts.bulk import ItemReply, RequestTooLargeError
from sinks.alerts.document import Document
from sinks.alerts.reader import Record
from sinks.alerts.settle import Revision, Settled, settle

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

DONE = ItemReply(status=200)
BUSY = ItemReply(status=429, error="rejected", reason="queue is full")
DEAD = ItemReply(status=400, error="document_parsing_exception", reason="amount is text")


NOON = datetime(2026, 12, 1, 12, tzinfo=UTC)


@dataclass(frozen=True)
class Plain:
    """Its body says which revision it is; its action, when it is sent."""

    id: str
    text: str
    size: int

    def at(self, moment: datetime) -> Document:
        action = f"{moment:%S}".encode()
        return Document(
            id=self.id, index="m", action=action, body=self.text.encode().ljust(self.size)
        )


def revision(alert: str, offset: int, *, partition: int = 0, size: int = 10) -> Revision:
    """Revision ``offset`` of ``alert``."""
    return Revision(
        record=Record(topic="alerts", partition=partition, offset=offset, key=None, value=b"{}"),
        draft=Plain(alert, f"{alert}{offset}", size),
    )


class Index:
    """A server: keeps the bodies it accepts, and answers from a script before it accepts all."""

    def __init__(
        self, *script: Exception | Callable[[Document], ItemReply], max_items: int = 999
    ) -> None:
        self.script = list(script)
        self.max_items = max_items
        self.requests: list[list[str]] = []
        self.stored: dict[str, str] = {}
        self.sent_at: list[list[bytes]] = []

    def send(self, documents: Sequence[Document]) -> list[ItemReply]:
        self.requests.append([document.body.decode().strip() for document in documents])
        self.sent_at.append([document.action for document in documents])
        if len(documents) > self.max_items:
            raise RequestTooLargeError
        step = self.script.pop(0) if self.script else lambda _: DONE
        if isinstance(step, Exception):
            raise step
        replies = [step(document) for document in documents]
        for document, reply in zip(documents, replies, strict=True):
            if reply.status == 200:
                self.stored[document.id] = document.body.decode().strip()
        return replies


class Clock:
    """Counts the waits; ends the run at a given one, loses partitions, or all of them when asked.

    Its time passes by ten seconds with each of them, and else not.
    """

    def __init__(
        self, *, stop_at: int = 99, lost: frozenset[int] = frozenset(), away_at: int = 99
    ) -> None:
        self.waits: list[float] = []
        self.asked = 0
        self.away_at = away_at
        self.stop_at = stop_at
        self.lost = lost

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        return len(self.waits) < self.stop_at

    def now(self) -> datetime:
        return NOON + timedelta(seconds=10 * len(self.waits))

    def holds(self, partition: int) -> bool:
        return partition not in self.lost

    def assure(self) -> None:
        self.asked += 1
        if self.asked == self.away_at:
            msg = "the group has given them away"
            raise TransientError(msg)


def bring_to_an_end(
    revisions: Sequence[Revision], index: Index, clock: Clock | None = None
) -> Settled:
    patience = Clock() if clock is None else clock
    return settle(revisions, send=index.send, patience=patience, rng=Random(1), now=patience.now)


def test_only_the_newest_revision_of_an_alert_is_sent() -> None:
    index = Index()

    settled = bring_to_an_end([revision("a", 1), revision("b", 2), revision("a", 3)], index)

    assert index.requests == [["a3", "b2"]]
    assert settled == Settled(stored=2)


def test_only_what_the_server_was_too_busy_for_is_sent_again() -> None:
    index = Index(lambda document: BUSY if document.id == "b" else DONE)
    clock = Clock()

    settled = bring_to_an_end([revision(name, 1) for name in "abc"], index, clock)

    assert index.requests == [["a1", "b1", "c1"], ["b1"]]
    assert len(clock.waits) == 1
    assert settled == Settled(stored=3)


def test_everything_is_sent_again_when_the_connection_is_lost() -> None:
    index = Index(TransientError("away"), TransientError("away"))
    clock = Clock()

    bring_to_an_end([revision("a", 1), revision("b", 1)], index, clock)

    assert index.requests == [["a1", "b1"]] * 3
    # 0.2 s, then 0.4 s, each between half and whole
    assert 0.1 <= clock.waits[0] <= 0.2 <= clock.waits[1] <= 0.4


def test_what_waited_for_the_index_says_when_it_is_really_sent() -> None:
    """It once said the time before the wait: a sink that was away for hours looked quick."""
    index = Index(
        TransientError("away"), TransientError("away"), lambda one: BUSY if one.id == "b" else DONE
    )

    bring_to_an_end([revision("a", 1), revision("b", 1)], index)

    assert index.sent_at == [[b"00", b"00"], [b"10", b"10"], [b"20", b"20"], [b"30"]]


def test_refused_document_is_set_aside_and_its_neighbours_are_stored() -> None:
    index = Index(lambda document: DEAD if document.id == "b" else DONE)

    settled = bring_to_an_end([revision(name, 7) for name in "abc"], index)

    assert sorted(index.stored) == ["a", "c"]
    [refused] = settled.refused
    assert (refused.record.offset, refused.reason) == (7, "document_parsing_exception")
    assert "amount is text" in refused.detail


def test_revision_before_a_refused_one_takes_its_place_at_once() -> None:
    index = Index(lambda _: DEAD)
    clock = Clock()

    settled = bring_to_an_end([revision("a", 1), revision("a", 2)], index, clock)

    assert index.stored == {"a": "a1"}
    assert [refused.record.offset for refused in settled.refused] == [2]
    assert clock.waits == []


def test_request_too_large_is_halved_until_it_fits() -> None:
    index = Index(max_items=1)

    settled = bring_to_an_end([revision(name, 1) for name in "abc"], index)

    assert index.requests == [
        ["a1", "b1", "c1"],
        ["a1"],
        ["b1", "c1"],
        ["b1"],
        ["c1"],
    ]
    assert settled.stored == 3


def test_document_too_large_by_itself_is_set_aside() -> None:
    settled = bring_to_an_end([revision("a", 1)], Index(max_items=0))

    assert [refused.reason for refused in settled.refused] == ["too_large"]


def test_requests_are_cut_by_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settle_module, "MAX_REQUEST_BYTES", 100)
    index = Index()

    # 2 bytes of action, 46 of body and 2 line feeds: two of them are just 100 bytes
    bring_to_an_end([revision(name, 1, size=46) for name in "abc"], index)

    assert index.requests == [["a1", "b1"], ["c1"]]


def test_missing_right_stops_the_sink_with_a_sentence() -> None:
    missing = ItemReply(status=403, error="security_exception", reason="unauthorized")

    with pytest.raises(SinkError, match="Nothing is lost"):
        bring_to_an_end([revision("a", 1)], Index(lambda _: missing))


def test_batch_is_not_complete_when_the_sink_is_told_to_stop_while_it_waits() -> None:
    index = Index(lambda _: BUSY)

    settled = bring_to_an_end([revision("a", 1)], index, Clock(stop_at=1))

    assert not settled.is_complete
    assert index.stored == {}


def test_partition_that_was_taken_over_is_left_to_its_new_owner() -> None:
    index = Index(lambda _: BUSY)

    settled = bring_to_an_end(
        [revision("a", 1, partition=0), revision("b", 1, partition=1)],
        index,
        Clock(lost=frozenset({0})),
    )

    assert index.stored == {"b": "b1"}
    assert settled == Settled(stored=1)


def test_nothing_more_is_sent_once_the_group_may_have_given_the_partitions_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("sinks.alerts.settle.MAX_REQUEST_BYTES", 1)  # a request for each
    index = Index()

    with pytest.raises(TransientError, match="given them away"):
        bring_to_an_end([revision("a", 1), revision("b", 1)], index, Clock(away_at=2))

    assert index.stored == {"a": "a1"}
