"""What the job decides on a stream of transactions, computed slowly and obviously.

For each transaction everything is worked out anew from the list of what has arrived on its card:
no running sums, no state that could be wrong. It is the oracle of the kernel, and the words below
are the semantics:

1.  The order of a card is the order of its records in their partition.
2.  ``newest`` is the greatest event time of the card so far, this transaction included. A
    transaction older than the newest before it is late.
3.  A transaction whose id the card remembers is a repeat. It is not judged (no features, no rule,
    score 0) and leaves no trace, not even in what is newest. An id is remembered until the newest
    is 24 hours past what it was when the id came, and while it is among the last 1000.
4.  The card stores events no older than the longest window before the newest; events of one instant
    in their order of arrival. (The kernel stores 1000 of them, and sums up those before by 32nds of
    each window: beyond 1000 it is the less exact of the two.) What distinct counts look at is
    stored no longer than the longest of their windows; one later than that gets NULL for them.
5.  A window is (t - w, t] in the transaction's own time, over what is stored, and the transaction
    itself unless the feature leaves it out. So a late one is decided as of its own time.
6.  A value is first seen unless the card remembers it: for 90 days after its last use, and at most
    128 values, of which the least recently used goes.
7.  A place is a transaction with coordinates that the place filter lets through. Travel is from the
    card's last place in time (of one instant: the last to arrive) to this one; there is none back
    in time. Speed counts at least a minute.
8.  Amounts are whole minor units of the base currency; features show major units.
9.  What was idle for longer than it remembers anything is forgotten whole: a card after 180 days,
    the others after their longest window.
10. A customer, merchant, device or network address stores the events of all its cards just so, in
    the order in which they came to it, and without repeats. That order is not decided by any one
    card's partition; the order given here is one of those that may be.
11. A customer's attributes are those of the profile as it was at the transaction's own time, among
    the newest four (``pipelines.customer_versions``).
"""

from __future__ import annotations

import math
import statistics
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from pipelines.columns import transaction_columns
from pipelines.customer_versions import profile_as_of
from pipelines.expressions.interpret import Row, fires
from pipelines.features import KEY_COLUMNS, card_stage
from pipelines.rules.judging import Band, judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipelines.contracts.customer import Customer
    from pipelines.contracts.transaction import Transaction
    from pipelines.expressions.interpret import Value
    from pipelines.features import Feature, Stage
    from pipelines.fx import FxTable
    from pipelines.rules import Ruleset

DAY_MS = 86_400_000
ID_MEMORY_MS, MOST_IDS = DAY_MS, 1000
VALUE_MEMORY_MS, MOST_VALUES = 90 * DAY_MS, 128
EARTH_RADIUS_KM = 6371.0088
SHORTEST_GAP_MS = 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A transaction and the place of its record."""

    transaction: Transaction
    partition: int
    offset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What is known of one record; ``rules_fired`` has the shadow rules in it, too."""

    partition: int
    offset: int
    features: Mapping[str, float | None]
    is_late: bool
    is_duplicate: bool
    duplicate_of_offset: int | None
    previous_transaction_id: str | None
    rules_fired: tuple[str, ...]
    score: float
    band: Band


@dataclass(frozen=True, slots=True, kw_only=True)
class _Event:
    arrival: Arrival
    time: int
    newest: int
    minor: int
    row: Row
    is_place: bool


_Histories = defaultdict[tuple[str, str], list[_Event]]
"""The events of each entity, repeats left out, in the order in which they came."""


def decide_stream(
    arrivals: Iterable[Arrival],
    *,
    stages: Sequence[Stage],
    fx: FxTable,
    customers: Mapping[str, Sequence[Customer]] | None = None,
    ruleset: Ruleset | None = None,
) -> list[Decided]:
    """What each record comes to, in the order given: that of the partition, for each card.

    ``stages`` compute every feature that the rules use. ``customers`` are the profiles of
    each, in the order of their arrival, all known before. Without a rule set nothing fires.
    """
    histories: _Histories = defaultdict(list)
    decided = []
    for arrival in arrivals:
        _forget(histories, arrival.transaction, [card_stage(stages)])
        history = histories["card", arrival.transaction.card_id]
        event = _event(arrival, history, card_stage(stages), fx)
        first = _first_of(event, history)
        if first is not None:
            decided.append(_repeat(event, first, history, stages))
            continue
        _forget(histories, arrival.transaction, stages)
        profiles = (customers or {}).get(arrival.transaction.customer_id, ())
        customer = profile_as_of(profiles, event.time)
        decided.append(_decide(event, histories, stages, customer, ruleset))
        for stage in stages:
            if (key := _key(stage, event)) is not None:
                histories[key].append(event)
    return decided


def _forget(histories: _Histories, transaction: Transaction, stages: Sequence[Stage]) -> None:
    """Drops the histories of what was idle for too long before this transaction."""
    for stage in (stage for stage in stages if not stage.is_attributes):
        history = histories[stage.entity, str(getattr(transaction, KEY_COLUMNS[stage.entity]))]
        newest = max((event.time for event in history), default=transaction.event_time_ms)
        if transaction.event_time_ms > newest + stage.forget_after_ms:
            history.clear()


def _key(stage: Stage, event: _Event) -> tuple[str, str] | None:
    """Whose history an event belongs to; None where the transaction does not tell."""
    name = getattr(event.arrival.transaction, KEY_COLUMNS[stage.entity])
    return None if stage.is_attributes or name is None else (stage.entity, str(name))


def _event(arrival: Arrival, history: Sequence[_Event], card: Stage, fx: FxTable) -> _Event:
    transaction = arrival.transaction
    minor = fx.to_base_minor(transaction.amount, transaction.currency)
    row = _row(transaction, minor)
    place = next((item for item in card.filters if item.name == card.place_filter), None)
    has_place = transaction.latitude is not None and transaction.longitude is not None
    return _Event(
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


def _first_of(event: _Event, history: Sequence[_Event]) -> _Event | None:
    """The transaction that this one repeats, if the card still remembers it."""
    for earlier in history[-MOST_IDS:]:
        is_same = earlier.arrival.transaction.transaction_id == (
            event.arrival.transaction.transaction_id
        )
        if is_same and earlier.newest > event.newest - ID_MEMORY_MS:
            return earlier
    return None


def _repeat(
    event: _Event, first: _Event, history: Sequence[_Event], stages: Sequence[Stage]
) -> Decided:
    return Decided(
        partition=event.arrival.partition,
        offset=event.arrival.offset,
        features={item.name: None for stage in stages for item in stage.features},
        is_late=_is_late(event, history),
        is_duplicate=True,
        duplicate_of_offset=first.arrival.offset,
        previous_transaction_id=None,
        rules_fired=(),
        score=0.0,
        band="allow",
    )


def _is_late(event: _Event, history: Sequence[_Event]) -> bool:
    return any(event.time < earlier.time for earlier in history)


def _decide(
    event: _Event,
    histories: _Histories,
    stages: Sequence[Stage],
    customer: Customer | None,
    ruleset: Ruleset | None,
) -> Decided:
    history = histories["card", event.arrival.transaction.card_id]
    features: dict[str, float | None] = {}
    for stage in stages:
        key = _key(stage, event)
        own = [] if key is None else histories[key]
        for feature in stage.features:
            if stage.mixes_cards and key is None:
                features[feature.name] = None
            elif feature.aggregate == "attribute":
                features[feature.name] = _attribute(feature, customer)
            elif feature.aggregate == "first_seen":
                features[feature.name] = _first_seen(feature, event, history)
            elif feature.aggregate == "since_last_min":
                features[feature.name] = _since_last(event, history)
            elif feature.aggregate.startswith("travel"):
                features[feature.name] = _travel(feature, event, history)
            else:
                features[feature.name] = _windowed(feature, event, own, stage)
    origin = _origin(event, history)
    judged = None if ruleset is None else judge(ruleset, {**event.row, **features})
    return Decided(
        partition=event.arrival.partition,
        offset=event.arrival.offset,
        features=features,
        is_late=_is_late(event, history),
        is_duplicate=False,
        duplicate_of_offset=None,
        previous_transaction_id=(
            None if origin is None else origin.arrival.transaction.transaction_id
        ),
        rules_fired=() if judged is None else judged.fired,
        score=0.0 if judged is None else judged.score,
        band="allow" if judged is None else judged.band,
    )


def _attribute(feature: Feature, customer: Customer | None) -> float | None:
    value = None if customer is None else getattr(customer, str(feature.field))
    return None if value is None else float(value)


def _stored(history: Sequence[_Event], horizon_ms: int) -> list[_Event]:
    if not history:
        return []
    newest = max(event.time for event in history)
    recent = [event for event in history if event.time > newest - horizon_ms]
    return sorted(recent, key=lambda event: event.time)


def _windowed(
    feature: Feature, event: _Event, history: Sequence[_Event], stage: Stage
) -> float | None:
    stored = _stored(history, stage.horizon_ms)
    newest = max((earlier.time for earlier in history), default=event.time)
    counted = [
        earlier for earlier in stored if event.time - feature.window_ms < earlier.time <= event.time
    ]
    if not feature.excludes_current:
        counted.append(event)
    if feature.filter is not None:
        (which,) = [item for item in stage.filters if item.name == feature.filter]
        counted = [item for item in counted if fires(which.condition, item.row)]
    if feature.aggregate == "distinct":
        return _distinct(feature, event, counted, newest, stage)
    return _aggregate(feature.aggregate, [item.minor for item in counted])


def _distinct(
    feature: Feature, event: _Event, counted: Sequence[_Event], newest: int, stage: Stage
) -> float | None:
    """NULL for one that comes so late that no value of its time is stored."""
    windows = [item.window_ms for item in stage.features if item.aggregate == "distinct"]
    if event.time <= newest - max(windows):
        return None
    known = [item for item in counted if item is event or item.time > newest - max(windows)]
    return float(len({_value(item, str(feature.category)) for item in known} - {None}))


def _value(event: _Event, category: str) -> Value:
    if category in ("card_id", "customer_id"):
        return str(getattr(event.arrival.transaction, category))
    return event.row[category]


def _aggregate(aggregate: str, minors: Sequence[int]) -> float | None:
    """Over amounts in minor units, exactly, then in major units.

    >>> _aggregate("sum", [1050, 250]), _aggregate("mean", [100, 101]), _aggregate("max", [])
    (13.0, 1.005, None)
    """
    if aggregate == "count":
        return float(len(minors))
    if aggregate == "sum":
        return sum(minors) / 100
    if len(minors) < (2 if aggregate == "stddev" else 1):
        return None
    if aggregate == "mean":
        return float(Fraction(sum(minors), len(minors) * 100))
    if aggregate == "stddev":
        return float(statistics.stdev([Fraction(minor, 100) for minor in minors]))
    return (min(minors) if aggregate == "min" else max(minors)) / 100


def _first_seen(feature: Feature, event: _Event, history: Sequence[_Event]) -> float | None:
    category = str(feature.category)
    if event.row[category] is None:
        return None
    known: dict[Value, int] = {}
    for earlier in [*history, event]:
        value = earlier.row[category]
        if value is None:
            continue
        horizon = earlier.newest - VALUE_MEMORY_MS
        known = {known_value: seen for known_value, seen in known.items() if seen > horizon}
        if earlier is event:
            break
        if value not in known and len(known) == MOST_VALUES:
            del known[min(known, key=lambda known_value: known[known_value])]
        known[value] = max(known.get(value, earlier.time), earlier.time)
    return 0.0 if event.row[category] in known else 1.0


def _since_last(event: _Event, history: Sequence[_Event]) -> float | None:
    if not history or _is_late(event, history):
        return None
    return (event.time - max(earlier.time for earlier in history)) / 60_000


def _origin(event: _Event, history: Sequence[_Event]) -> _Event | None:
    """Where the card travelled from, when it can have travelled."""
    places = sorted((item for item in history if item.is_place), key=lambda item: item.time)
    if not event.is_place or not places or event.time < places[-1].time:
        return None
    return places[-1]


def _travel(feature: Feature, event: _Event, history: Sequence[_Event]) -> float | None:
    origin = _origin(event, history)
    if origin is None:
        return None
    gap_ms = event.time - origin.time
    if feature.aggregate == "travel_gap_min":
        return gap_ms / 60_000
    km = haversine_km(_position(origin), _position(event))
    if feature.aggregate == "travel_km":
        return km
    return km / (max(gap_ms, SHORTEST_GAP_MS) / 3_600_000)


def _position(event: _Event) -> tuple[float, float]:
    transaction = event.arrival.transaction
    if transaction.latitude is None or transaction.longitude is None:
        msg = f"transaction {transaction.transaction_id} is no place"
        raise ValueError(msg)
    return transaction.latitude, transaction.longitude


def haversine_km(start: tuple[float, float], end: tuple[float, float]) -> float:
    """The great-circle distance between two (latitude, longitude) in degrees.

    A quarter of a great circle is a quarter of 2 * pi * 6371.0088 km:

    >>> round(haversine_km((0.0, 0.0), (0.0, 90.0)), 4)
    10007.5572
    """
    (latitude, longitude), (other_latitude, other_longitude) = start, end
    phi, other_phi = math.radians(latitude), math.radians(other_latitude)
    across = math.radians(other_longitude - longitude)
    a = (
        math.sin((other_phi - phi) / 2) ** 2
        + math.cos(phi) * math.cos(other_phi) * math.sin(across / 2) ** 2
    )
    return 2 * EARTH_RADIUS_KM * math.asin(min(1.0, math.sqrt(a)))
