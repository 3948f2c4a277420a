"""What a job made of each record of its input, as digests: a million of them in some 20 MB.

A decision or an alert is taken byte for byte, its key included, but for ``decided_at``, which is
the clock's and is cut out of the bytes: no record is parsed and written again. So is ``failed_at``
of a dead letter; its ``detail``, a sentence for people, is held apart. Both times stand behind
everything a sender has a say in, so a transaction that contains the same words moves no cut.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from pipelines.errors import TerminalError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipelines.kafka import OffsetRange

DIGEST_BYTES = 16
_TAIL_BYTES = 600
_CLOSING = rb'"alert_id":(?:null|"[0-9a-f]{32}")\}\}?$'
_TAIL = re.compile(
    rb'"source":\{"topic":"([^"]*)","partition":(\d+),"offset":(\d+)\},'
    rb'("decided_at":"[^"]*",)' + _CLOSING
)
_FAILED_AT = re.compile(rb',"failed_at":"[^"]*"\}$')
_ALERT_HEAD = re.compile(
    rb'\{"alert_id":"([0-9a-f]{32})","sequence":(\d+),"card_id":("(?:[^"\\]|\\.)*")'
)


class Place(NamedTuple):
    """A record of the input."""

    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


class AlertKey(NamedTuple):
    """One revision of an alert."""

    alert_id: str
    sequence: int

    def __str__(self) -> str:
        return f"{self.alert_id}#{self.sequence}"


class UnreadableOutcome(TerminalError):
    """A record of the job's own output does not look like one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """A decision or a dead letter: what became of one record of the input."""

    topic: str
    place: Place
    digest: bytes
    detail: bytes | None = None
    """What a dead letter tells people."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Revision:
    """A revision of an alert, and the card it is about."""

    key: AlertKey
    card_id: str
    digest: bytes


def read_decision(key: bytes | None, value: bytes | None) -> Outcome:
    """The place a decision belongs to, and its digest without ``decided_at``."""
    tail = _find_tail(value)
    return Outcome(
        topic=tail[1].decode(),
        place=Place(int(tail[2]), int(tail[3])),
        digest=_digest(b"decision", key, _cut(tail)),
    )


def read_letter(key: bytes | None, value: bytes | None) -> Outcome:
    """The place a dead letter belongs to, and its digest without ``failed_at`` and ``detail``."""
    text = b"" if value is None else value
    tail = _FAILED_AT.search(text)
    if tail is None:
        _refuse("dead letter", text)
    letter = json.loads(text)
    detail = json.dumps(letter["detail"]).encode()
    rest = text[: tail.start()].replace(b',"detail":' + detail, b"", 1)
    return Outcome(
        topic=letter["topic"],
        place=Place(letter["partition"], letter["offset"]),
        digest=_digest(b"letter", key, rest),
        detail=detail,
    )


def read_revision(key: bytes | None, value: bytes | None) -> Revision:
    """The name of an alert's revision, and its digest without the ``decided_at`` inside."""
    tail = _find_tail(value)
    head = _ALERT_HEAD.match(tail.string)
    if head is None:
        _refuse("alert", tail.string)
    return Revision(
        key=AlertKey(head[1].decode(), int(head[2])),
        card_id=json.loads(head[3]),
        digest=_digest(b"alert", key, _cut(tail)),
    )


@dataclass(slots=True)
class Outcomes:
    """Everything one job wrote, by the record of the input it belongs to."""

    input_topic: str
    held: Mapping[int, OffsetRange]
    """What the input holds: each of these offsets must end once."""
    decisions: int = 0
    letters: int = 0
    details: dict[Place, bytes] = field(default_factory=dict)
    """Of the dead letters."""
    alerts: dict[AlertKey, Revision] = field(default_factory=dict)
    doubled_alerts: Counter[AlertKey] = field(default_factory=Counter)
    """How often more than once; those that were there once are absent."""
    strangers: list[str] = field(default_factory=list)
    """Outcomes of records that are not in the input."""
    _counts: dict[int, bytearray] = field(default_factory=dict)
    _digests: dict[int, bytearray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for partition, held in self.held.items():
            size = held.end - held.start
            self._counts[partition] = bytearray(size)
            self._digests[partition] = bytearray(size * DIGEST_BYTES)

    def add_decision(self, outcome: Outcome) -> None:
        self.decisions += 1
        self._add(outcome)

    def add_letter(self, outcome: Outcome) -> None:
        self.letters += 1
        if outcome.detail is not None:
            self.details[outcome.place] = outcome.detail
        self._add(outcome)

    def add_revision(self, revision: Revision) -> None:
        if revision.key in self.alerts:
            self.doubled_alerts[revision.key] += 1
        else:
            self.alerts[revision.key] = revision

    def missing(self) -> list[Place]:
        """Records of the input that ended nowhere."""
        return [place for place in self.places() if self._count(place) == 0]

    def doubled(self) -> list[Place]:
        """Records of the input that ended more than once, be it as a decision and a letter."""
        return [place for place in self.places() if self._count(place) > 1]

    def places(self) -> Iterator[Place]:
        """Every record of the input."""
        for partition, held in sorted(self.held.items()):
            for offset in range(held.start, held.end):
                yield Place(partition, offset)

    def digest(self, place: Place) -> bytes | None:
        """Of the first outcome of a record; None where there is none."""
        if self._count(place) == 0:
            return None
        at = (place.offset - self.held[place.partition].start) * DIGEST_BYTES
        return bytes(self._digests[place.partition][at : at + DIGEST_BYTES])

    def _count(self, place: Place) -> int:
        return self._counts[place.partition][place.offset - self.held[place.partition].start]

    def _add(self, outcome: Outcome) -> None:
        place, held = outcome.place, self.held.get(outcome.place.partition)
        is_ours = held is not None and held.start <= place.offset < held.end
        if held is None or not is_ours or outcome.topic != self.input_topic:
            self.strangers.append(f"{outcome.topic} {place}")
            return
        counts, at = self._counts[place.partition], place.offset - held.start
        if counts[at] == 0:
            start = at * DIGEST_BYTES
            self._digests[place.partition][start : start + DIGEST_BYTES] = outcome.digest
        counts[at] = min(counts[at] + 1, 255)


def _find_tail(value: bytes | None) -> re.Match[bytes]:
    text = b"" if value is None else value
    found = _TAIL.search(text, max(0, len(text) - _TAIL_BYTES))
    if found is None:
        _refuse("decision or alert", text)
    return found


def _cut(tail: re.Match[bytes]) -> bytes:
    return tail.string[: tail.start(4)] + tail.string[tail.end(4) :]


def _digest(kind: bytes, key: bytes | None, rest: bytes) -> bytes:
    return blake2b(
        b"\0".join((kind, b"" if key is None else key, rest)), digest_size=DIGEST_BYTES
    ).digest()


def _refuse(what: str, value: bytes) -> NoReturn:
    msg = f"a {what} of {len(value)} bytes is not as the job writes it: …{value[-80:]!r}"
    raise UnreadableOutcome(msg)
