"""Plays rows as transactions: shifted in time, paced by event time, every row accounted for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from pipelines.contracts.faults import ContractFault
from pipelines.contracts.json_text import write_object
from pipelines.contracts.times import format_time, parse_time
from pipelines.contracts.transaction import Transaction, parse_transaction, refuse_future
from pipelines.replay.convert import check_time, convert_row
from pipelines.replay.rows import Row, RowFault

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping

    from pipelines.pacing import Pace
    from pipelines.replay.mapping import RowMapping
    from pipelines.sender import RecordSender

LONGEST_WAIT_SECONDS = 0.1
REPORT_EVERY = 256


class RejectSink(Protocol):
    """Where rejected rows go."""

    def write(self, row: Row, fault: RowFault) -> None:
        """Keep the row and why it was rejected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What became of the rows: ``rows`` = ``sent`` + all of ``rejected``."""

    rows: int = 0
    sent: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    """By reason."""
    first_ms: int | None = None
    last_ms: int | None = None
    """The smallest and the greatest event time sent."""
    acknowledged: int = 0
    failed: int = 0
    last_failure: str | None = None
    seconds: float = 0.0
    is_stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where transactions go, and what they must fit."""

    sender: RecordSender
    topic: str
    currencies: Container[str]
    now_ms: Callable[[], int]
    """The clock that Kafka will stamp records with."""


def replay(
    rows: Iterable[Row],
    mapping: RowMapping,
    destination: Destination,
    rejects: RejectSink,
    *,
    pace: Pace,
    start_ms: int | None = None,
    on_progress: Callable[[Replayed], None] = lambda _: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Replayed:
    """Send each row as a transaction, in the order of the file.

    1. a row that cannot be read, mapped, or breaks the contract goes to ``rejects``;
    2. with ``start_ms``, all event times move so that the first one sent lands there;
    3. a row waits until its event time is due, which an older one than the last already is;
    4. every record is acknowledged or counted in ``failed``.
    """
    run = _Run(mapping, destination, start_ms, pace.clock)
    for row in rows:
        if should_stop():
            run.is_stopped = True
            break
        try:
            # 1. and 2. understand it, or put it aside
            transaction, value = run.convert(row)
            # 3. wait for its moment
            due_ms = transaction.event_time_ms
            while (wait := pace.seconds_until(due_ms)) > 0 and not should_stop():
                destination.sender.wait(min(wait, LONGEST_WAIT_SECONDS))
                on_progress(run.summary())
            if wait > 0:
                run.is_stopped = True
                break
            run.send(transaction, value)
        except RowFault as fault:
            run.rejected[str(fault.reason)] += 1
            rejects.write(row, fault)
        run.rows += 1
        if run.rows % REPORT_EVERY == 0:
            on_progress(run.summary())
    # 4. nothing is left open
    destination.sender.flush()
    on_progress(run.summary())
    return run.summary()


class _Run:
    """Counts of one call of ``replay``, and the shift in time."""

    def __init__(
        self,
        mapping: RowMapping,
        destination: Destination,
        start_ms: int | None,
        clock: Callable[[], float],
    ) -> None:
        self.rows = 0
        self.rejected: Counter[str] = Counter()
        self.is_stopped = False
        self._mapping = mapping
        self._to = destination
        self._start_ms = start_ms
        self._shift_ms = 0 if start_ms is None else None
        self._clock = clock
        self._begun = clock()
        self._sent = 0
        self._first_ms: int | None = None
        self._last_ms: int | None = None

    def convert(self, row: Row) -> tuple[Transaction, bytes]:
        if row.fault is not None:
            raise row.fault
        members = convert_row(row.columns, self._mapping)
        shift_ms = self._move(members)
        value = write_object(members)
        try:
            transaction = parse_transaction(value, currencies=self._to.currencies)
        except ContractFault as fault:
            raise RowFault(fault.reason, fault.detail) from fault
        self._shift_ms = shift_ms
        return transaction, value

    def _move(self, members: dict[str, Any]) -> int | None:
        """Shift the event time; the shift to keep if this row is the first good one."""
        if "event_time" not in members:
            return self._shift_ms
        time_ms = parse_time(members["event_time"])
        shift_ms = self._shift_ms
        if shift_ms is None and self._start_ms is not None:
            shift_ms = self._start_ms - time_ms
        if shift_ms:
            members["event_time"] = format_time(check_time(time_ms + shift_ms, "event_time"))
        return shift_ms

    def send(self, transaction: Transaction, value: bytes) -> None:
        try:
            refuse_future(transaction, self._to.now_ms())
        except ContractFault as fault:
            raise RowFault(fault.reason, fault.detail) from fault
        self._to.sender.send(self._to.topic, transaction.card_id.encode(), value)
        self._sent += 1
        time_ms = transaction.event_time_ms
        self._first_ms = time_ms if self._first_ms is None else min(self._first_ms, time_ms)
        self._last_ms = time_ms if self._last_ms is None else max(self._last_ms, time_ms)

    def summary(self) -> Replayed:
        sender, topic = self._to.sender, self._to.topic
        return Replayed(
            rows=self.rows,
            sent=self._sent,
            rejected=dict(sorted(self.rejected.items())),
            first_ms=self._first_ms,
            last_ms=self._last_ms,
            acknowledged=sender.acknowledged[topic],
            failed=sender.failed[topic],
            last_failure=sender.last_failure,
            seconds=self._clock() - self._begun,
            is_stopped=self.is_stopped,
        )
