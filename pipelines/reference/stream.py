"""The stream of all cards, decided one after the other."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.features import KEY_COLUMNS, card_stage
from pipelines.reference.customers import profile_as_of
from pipelines.reference.event import Event, is_late, make_event
from pipelines.reference.frauds import Frauds
from pipelines.reference.history import of_all_time, origin_of
from pipelines.reference.windows import windowed
from pipelines.rules.judging import Band, judge

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pipelines.contracts.customer import Customer
    from pipelines.contracts.transaction import Transaction
    from pipelines.features import Feature, Stage
    from pipelines.fx import FxTable
    from pipelines.reference.event import Arrival
    from pipelines.reference.frauds import Told
    from pipelines.rules import Ruleset

ID_MEMORY_MS, MOST_IDS = 86_400_000, 256


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
class _Known:
    """Everything that is known when a transaction arrives."""

    histories: defaultdict[tuple[str, str], list[Event]]
    """The events of each entity, repeats left out, in the order in which they came."""
    frauds: Frauds
    customers: Mapping[str, Sequence[Customer]]


def decide_stream(
    arrivals: Iterable[Arrival],
    *,
    stages: Sequence[Stage],
    fx: FxTable,
    customers: Mapping[str, Sequence[Customer]] | None = None,
    told: Iterable[Told] = (),
    ruleset: Ruleset | None = None,
) -> list[Decided]:
    """What each record comes to, in the order given: that of the partition, for each card.

    ``stages`` compute every feature that the rules use. ``customers`` are the profiles of each, in
    the order of their arrival, all known before; ``told`` are the labels. Without a rule set
    nothing fires.
    """
    known = _Known(
        histories=defaultdict(list), frauds=Frauds(told), customers=dict(customers or {})
    )
    decided = []
    for number, arrival in enumerate(arrivals):
        known.frauds.arrive(number)
        _forget(known, arrival.transaction, [card_stage(stages)])
        history = known.histories["card", arrival.transaction.card_id]
        event = make_event(arrival, history, card_stage(stages), fx)
        first = _first_of(event, history)
        if first is not None:
            decided.append(_repeat(event, first, history, stages))
            continue
        _forget(known, arrival.transaction, stages)
        decided.append(_decide(event, known, stages, ruleset))
        for stage in stages:
            if (key := _key(stage, event)) is not None:
                known.histories[key].append(event)
                known.frauds.count(key, event)
    return decided


def _forget(known: _Known, transaction: Transaction, stages: Sequence[Stage]) -> None:
    """Drops the histories of what was idle for too long before this transaction."""
    for stage in (stage for stage in stages if not stage.is_attributes):
        key = str(getattr(transaction, KEY_COLUMNS[stage.entity]))
        history = known.histories[stage.entity, key]
        newest = max((event.time for event in history), default=transaction.event_time_ms)
        if transaction.event_time_ms > newest + stage.forget_after_ms:
            history.clear()


def _key(stage: Stage, event: Event) -> tuple[str, str] | None:
    """Whose history an event belongs to; None where the transaction does not tell."""
    name = getattr(event.arrival.transaction, KEY_COLUMNS[stage.entity])
    return None if stage.is_attributes or name is None else (stage.entity, str(name))


def _first_of(event: Event, history: Sequence[Event]) -> Event | None:
    """The transaction that this one repeats, if the card still remembers it."""
    for earlier in history[-MOST_IDS:]:
        is_same = earlier.arrival.transaction.transaction_id == (
            event.arrival.transaction.transaction_id
        )
        if is_same and earlier.newest > event.newest - ID_MEMORY_MS:
            return earlier
    return None


def _repeat(
    event: Event, first: Event, history: Sequence[Event], stages: Sequence[Stage]
) -> Decided:
    return Decided(
        partition=event.arrival.partition,
        offset=event.arrival.offset,
        features={item.name: None for stage in stages for item in stage.features},
        is_late=is_late(event, history),
        is_duplicate=True,
        duplicate_of_offset=first.arrival.offset,
        previous_transaction_id=None,
        rules_fired=(),
        score=0.0,
        band="allow",
    )


def _decide(
    event: Event, known: _Known, stages: Sequence[Stage], ruleset: Ruleset | None
) -> Decided:
    history = known.histories["card", event.arrival.transaction.card_id]
    features = {
        feature.name: _feature(feature, event, known, stage)
        for stage in stages
        for feature in stage.features
    }
    origin = origin_of(event, history)
    judged = None if ruleset is None else judge(ruleset, {**event.row, **features})
    return Decided(
        partition=event.arrival.partition,
        offset=event.arrival.offset,
        features=features,
        is_late=is_late(event, history),
        is_duplicate=False,
        duplicate_of_offset=None,
        previous_transaction_id=(
            None if origin is None else origin.arrival.transaction.transaction_id
        ),
        rules_fired=() if judged is None else judged.fired,
        score=0.0 if judged is None else judged.score,
        band="allow" if judged is None else judged.band,
    )


def _feature(feature: Feature, event: Event, known: _Known, stage: Stage) -> float | None:
    if stage.is_attributes:
        profiles = known.customers.get(event.arrival.transaction.customer_id, ())
        return _attribute(feature, profile_as_of(profiles, event.time))
    key = _key(stage, event)
    if key is None:
        return None
    history = known.histories[key]
    if feature.is_of_labels:
        return known.frauds.value(feature, event, key, stage)
    if feature.window_ms == 0:
        return of_all_time(feature, event, history)
    return windowed(feature, event, history, stage)


def _attribute(feature: Feature, customer: Customer | None) -> float | None:
    value = None if customer is None else getattr(customer, str(feature.field))
    return None if value is None else float(value)
