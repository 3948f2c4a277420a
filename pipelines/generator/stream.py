"""The clock of the generator: honest uses, campaigns and labels, merged in logical time."""

from __future__ import annotations

import heapq
from bisect import bisect
from collections import deque
from random import Random
from typing import TYPE_CHECKING

from pipelines.contracts.label import Label, encode_label
from pipelines.contracts.times import format_time
from pipelines.fx import FxTable, load_fx
from pipelines.generator.campaigns import (
    CAMPAIGNS_PER_CREW,
    FREQUENCIES,
    LEAD_SECONDS,
    MEAN_CAMPAIGN,
    SCENARIOS,
    Crew,
    Step,
    form_crew,
    plan_campaign,
)
from pipelines.generator.card_use import CardUse, write_use
from pipelines.generator.emission import HOUR_MS, Emission, GeneratorOptions
from pipelines.generator.merchants import build_market
from pipelines.generator.people import Card, build_people, weigh_cards
from pipelines.generator.shopping import is_awake, use_honestly

if TYPE_CHECKING:
    from collections.abc import Iterator

CREWS = 4
REVIEWED_SHARE = 0.005
"""Of the genuine transactions, those an investigator looked at and cleared."""
FRESH_MS = 600_000
"""How old a use of a card may be for a copy of it to make an impossible journey."""


def generate(options: GeneratorOptions, fx: FxTable | None = None) -> Iterator[Emission]:
    """Profiles, then transactions and labels by the logical clock.

    Ends after ``options.count`` transactions or ``options.duration_ms``, else never. A label is
    yielded when it becomes known; one that would become known after the end is left out, unless
    ``options.all_labels``.
    """
    stream = _Stream(options, load_fx() if fx is None else fx)
    yield from stream.profiles()
    yield from stream.run()


class _Stream:
    """Holds the world and what is due in it. Each purpose draws from a random stream of its own."""

    def __init__(self, options: GeneratorOptions, fx: FxTable) -> None:
        self._options = options
        # Seeding with text is the same in every process; hash() is not. The ids depend on the
        # start, too: a stream that begins later has the same people, and ids of its own.
        world, self._honest, self._crooks, self._ids, self._labels = (
            Random(f"{options.seed}/{purpose}")
            for purpose in ("world", "honest", "crooks", f"{options.start_ms}/ids", "labels")
        )
        self._market = build_market(world, fx)
        self._cards, self._profiles = build_people(
            world, self._market, cards=options.cards, start_ms=options.start_ms
        )
        self._weights = weigh_cards(world, options.cards, options.skew)
        self._crews = [form_crew(self._crooks) for _ in range(CREWS)]
        self._shown: deque[tuple[int, Card]] = deque(maxlen=256)
        self._steps: list[tuple[int, int, Step]] = []
        self._due: list[tuple[int, int, Emission]] = []
        self._number = 0
        self._planned_frauds = 0
        self._tolerated_debt = 0.0
        self._second = -1
        self._second_text = ""

    def profiles(self) -> Iterator[Emission]:
        for key, value in self._profiles:
            yield Emission(kind="customer", key=key, value=value, at_ms=self._options.start_ms)

    def run(self) -> Iterator[Emission]:
        options = self._options
        count = float("inf") if options.count is None else options.count
        end_ms = float("inf")
        if options.duration_ms is not None:
            end_ms = options.start_ms + options.duration_ms
        for at_ms, use, scenario in self._uses():
            if self._number >= count or at_ms >= end_ms:
                break
            yield from self._labels_due(at_ms)
            yield self._emit(at_ms, use, scenario)
        if options.all_labels:
            yield from self._labels_due(float("inf"))

    def _uses(self) -> Iterator[tuple[int, CardUse, str | None]]:
        """Every use of a card, honest or not, in order of time, without end."""
        honest_per_ms = self._options.rate * (1 - self._options.fraud_rate) / 1000
        clock = float(self._options.start_ms)
        while True:
            if honest_per_ms > 0:
                clock += self._honest.expovariate(honest_per_ms)
            else:
                clock += 1000 / self._options.rate
            now_ms = int(clock)
            self._start_campaigns(now_ms)
            while self._steps and self._steps[0][0] <= now_ms:
                at_ms, _, step = heapq.heappop(self._steps)
                yield at_ms, step.use, step.scenario
            if honest_per_ms > 0:
                card = self._draw_card(now_ms)
                use = use_honestly(self._honest, self._market, card, now_ms)
                if use.entry_mode is not None:
                    self._shown.append((now_ms, card))
                yield now_ms, use, None

    def _draw_card(self, now_ms: int) -> Card:
        """A card whose holder is awake and has not just used it, if one is found soon."""
        draw, weights = self._honest.random, self._weights
        longest = card = self._cards[bisect(weights, draw() * weights[-1])]
        if self._options.skew is not None:  # the law alone decides
            return card
        for _ in range(12):
            is_free = now_ms >= card.rests_until_ms and now_ms >= card.hidden_until_ms
            if is_free and is_awake(self._honest, card, now_ms):
                return card
            if card.rests_until_ms < longest.rests_until_ms:
                longest = card
            card = self._cards[bisect(weights, draw() * weights[-1])]
        return longest

    def _start_campaigns(self, now_ms: int) -> None:
        """Start as many as keep the share of fraud; ahead, because their steps come later."""
        options = self._options
        expected = options.fraud_rate * (self._number + options.rate * LEAD_SECONDS)
        while expected - self._planned_frauds > self._tolerated_debt:
            self._tolerated_debt = self._crooks.uniform(-MEAN_CAMPAIGN, MEAN_CAMPAIGN)
            (scenario,) = self._crooks.choices(tuple(SCENARIOS), FREQUENCIES)
            victim = self._pick_victim(scenario, now_ms)
            if victim is None:
                return
            steps = plan_campaign(
                self._crooks,
                self._market,
                scenario,
                crew=self._pick_crew(),
                victim=victim,
                now_ms=now_ms,
            )
            victim.attacked_until_ms = steps[-1].at_ms
            pause_ms = int(self._crooks.uniform(1, 6) * HOUR_MS)
            victim.hidden_until_ms = steps[-1].at_ms + pause_ms
            for step in steps:
                self._planned_frauds += 1
                heapq.heappush(self._steps, (step.at_ms, self._planned_frauds, step))

    def _pick_victim(self, scenario: str, now_ms: int) -> Card | None:
        """A card that is not under attack; rather one that was not lately, either."""
        again: Card | None = None
        for _ in range(20):
            card = self._crooks.choice(self._cards)
            if scenario == "impossible_travel":
                if not self._shown:
                    return None
                shown_ms, card = self._crooks.choice(self._shown)
                if now_ms - shown_ms > FRESH_MS or card.holder.placed_ms != shown_ms:
                    continue
            if now_ms <= card.attacked_until_ms:
                continue
            if now_ms >= card.hidden_until_ms:
                return card
            again = card
        return again

    def _pick_crew(self) -> Crew:
        number = self._crooks.randrange(CREWS)
        crew = self._crews[number]
        crew.campaigns += 1
        if crew.campaigns >= CAMPAIGNS_PER_CREW:
            self._crews[number] = form_crew(self._crooks)
        return crew

    def _emit(self, at_ms: int, use: CardUse, scenario: str | None) -> Emission:
        self._number += 1
        transaction_id = f"t_{self._ids.getrandbits(64):016x}"
        if scenario is not None or self._labels.random() < REVIEWED_SHARE:
            self._plan_label(transaction_id, at_ms, use, scenario)
        return Emission(
            kind="transaction",
            key=use.card.card_id.encode(),
            value=write_use(use, transaction_id, self._format(at_ms)),
            at_ms=at_ms,
            scenario=scenario,
        )

    def _format(self, at_ms: int) -> str:
        """``format_time``, which is slow, once a second."""
        second, millisecond = divmod(at_ms, 1000)
        if second != self._second:
            self._second, self._second_text = second, format_time(second * 1000)[:20]
        return f"{self._second_text}{millisecond:03d}Z"

    def _plan_label(
        self, transaction_id: str, at_ms: int, use: CardUse, scenario: str | None
    ) -> None:
        delay = self._options.label_delay_ms * self._labels.uniform(0.5, 1.5)
        is_reported = scenario is not None and self._labels.random() < 0.85
        due_ms = at_ms + int(delay)
        label = Label(
            transaction_id=transaction_id,
            card_id=use.card.card_id,
            merchant_id=use.merchant.merchant_id,
            event_time_ms=at_ms,
            label="genuine" if scenario is None else "fraud",
            source="chargeback" if is_reported else "investigator",
            reason=scenario,
            label_time_ms=due_ms,
            device_id=use.device_id or None,
        )
        emission = Emission(
            kind="label",
            key=use.card.card_id.encode(),
            value=encode_label(label),
            at_ms=due_ms,
            scenario=scenario,
        )
        heapq.heappush(self._due, (due_ms, self._number, emission))

    def _labels_due(self, now_ms: float) -> Iterator[Emission]:
        while self._due and self._due[0][0] <= now_ms:
            yield heapq.heappop(self._due)[2]
