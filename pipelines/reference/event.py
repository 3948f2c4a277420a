"""A transaction with its place in the stream, and as rules and filters see it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.columns import transaction_columns
from pipelines.expressions.interpret import Row, fires

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.contracts.transaction import Transaction
    from pipelines.expressions.interpret import Value
    from pipelines.features import Stage
    from pipelines.fx import FxTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A transaction and the place of its record."""

    transaction: Transaction
    partition: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    arrival: Arrival
    time: int
    newest: int
    minor: int
    row: Row
    is_place: bool


def make_event(arrival: Arrival, history: Sequence[Event], card: Stage, fx: FxTable) -> Event:
    transaction = arrival.transaction
    minor = fx.to_base_minor(transaction.amount, transaction.currency)
    row = _row(transaction, minor)
    place = next((item for item in card.filters if item.name == card.place_filter), None)
    has_place = transaction.latitude is not None and transaction.longitude is not None
    return Event(
        arrival=arrival,
        time=transaction.event_time_ms,
        newest=max([transaction.event_time_ms, *(event.time for event in history)]),
        minor=minor,
        row=row,
        is_place=has_place and (place is None or fires(place.condition, row)),
    )


def _row(transaction: Transaction, minor: int) -> Row:
    """The transaction as rules and filters see it."""
    row: dict[str, Value] = {"amount": float(transaction.amount), "base_amount": minor / 100}
    for column in transaction_columns():
        if column.name not in row:
            value = getattr(transaction, column.name)
            row[column.name] = column.default if value is None else value
    return row


def is_late(event: Event, history: Sequence[Event]) -> bool:
    return any(event.time < earlier.time for earlier in history)
