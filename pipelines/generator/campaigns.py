"""Four ways to steal with cards. A campaign is a list of steps on one victim's card.

=================== ============================================================================
``card_testing``    small payments on the web to see whether the card lives, then a cash-out
``velocity_burst``  a quick run of purchases before anybody notices
``impossible_travel`` a copy of the card, used far from where the holder just paid
``account_takeover`` the holder's web account, from a new device, with high amounts
=================== ============================================================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.generator.card_use import CardUse, price_in_euro, write_device
from pipelines.generator.merchants import (
    DIGITAL_GOODS,
    DISTRICTS_PER_CITY,
    ELECTRONICS,
    GIFT_CARDS,
)
from pipelines.generator.people import COUNTRIES, new_device, new_ip
from pipelines.generator.places import CITIES, distance_km

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from pipelines.generator.merchants import Market, Merchant
    from pipelines.generator.people import Card

FAR_KM = 1500.0
CAMPAIGNS_PER_CREW = 12
LEAD_SECONDS = 35.0
"""How long after the start of a campaign its steps come, on average."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One fraudulent use, at its moment."""

    at_ms: int
    use: CardUse
    scenario: str


@dataclass(slots=True, kw_only=True)
class Crew:
    """People who attack several cards from the same devices and networks, and then move on."""

    country: str
    devices: tuple[str, ...]
    ip_addresses: tuple[str, ...]
    campaigns: int = 0


def form_crew(random: Random) -> Crew:
    """A new crew, somewhere."""
    country = random.choice(COUNTRIES)
    return Crew(
        country=country,
        devices=tuple(new_device(random) for _ in range(2)),
        ip_addresses=tuple(new_ip(random, country) for _ in range(3)),
    )


def plan_campaign(
    random: Random, market: Market, scenario: str, *, crew: Crew, victim: Card, now_ms: int
) -> list[Step]:
    """The steps of one campaign, in order, all after ``now_ms``."""
    steps: list[Step] = []
    at_ms = now_ms
    for pause_seconds, use in SCENARIOS[scenario](random, market, crew, victim):
        at_ms += int(pause_seconds * 1000)
        steps.append(Step(at_ms=at_ms, use=use, scenario=scenario))
    return steps


_Uses = list[tuple[float, CardUse]]
"""Each use with the seconds since the one before."""


def _test_card(random: Random, market: Market, crew: Crew, victim: Card) -> _Uses:
    shop = random.choice(market.by_category[DIGITAL_GOODS])
    uses: _Uses = []
    for _ in range(random.randint(3, 6)):
        declined = "wrong_cvv" if random.random() < 0.35 else None
        euro = random.uniform(0.5, 4.5)
        use = _buy_on_web(random, crew, victim, shop, euro=euro, decline_reason=declined)
        uses.append((random.uniform(2, 12), use))
    for _ in range(random.randint(1, 3)):
        shop = random.choice(market.by_category[random.choice((GIFT_CARDS, ELECTRONICS))])
        use = _buy_on_web(random, crew, victim, shop, euro=random.uniform(130, 900))
        uses.append((random.uniform(10, 40), use))
    return uses


def _burst(random: Random, market: Market, crew: Crew, victim: Card) -> _Uses:
    shops = [random.choice(market.web_shops) for _ in range(3)]
    uses: _Uses = []
    for _ in range(random.randint(6, 12)):
        declined = "limit_exceeded" if random.random() < 0.12 else None
        shop, euro = random.choice(shops), random.uniform(15, 160)
        use = _buy_on_web(random, crew, victim, shop, euro=euro, decline_reason=declined)
        uses.append((random.uniform(1, 5), use))
    return uses


def _travel_impossibly(random: Random, market: Market, crew: Crew, victim: Card) -> _Uses:
    del crew  # a copied card needs no device
    here = CITIES[victim.holder.city]
    far = [
        number
        for number, city in enumerate(CITIES)
        if distance_km(here.latitude, here.longitude, city.latitude, city.longitude) > FAR_KM
    ]
    district = market.districts[random.choice(far)][random.randrange(DISTRICTS_PER_CITY)]
    uses: _Uses = []
    for number in range(random.randint(1, 3)):
        pause_seconds = random.uniform(15, 60) if number else random.uniform(10, 60)
        if random.random() < 0.35:
            machine = random.choice(district.cash_machines)
            use = CardUse(
                card=victim,
                merchant=machine,
                channel="atm",
                amount=random.choice(machine.notes[3:]),
                kind="withdrawal",
                entry_mode="magstripe",
                decline_reason="wrong_pin" if random.random() < 0.25 else None,
            )
        else:
            shop = random.choice(district.shops)
            use = CardUse(
                card=victim,
                merchant=shop,
                channel="pos",
                amount=price_in_euro(shop, random.uniform(40, 500)),
                entry_mode="magstripe" if random.random() < 0.6 else "contactless",
            )
        uses.append((pause_seconds, use))
    return uses


def _take_over_account(random: Random, market: Market, crew: Crew, victim: Card) -> _Uses:
    uses: _Uses = []
    for _ in range(random.randint(2, 5)):
        category = random.choice((ELECTRONICS, GIFT_CARDS, "5999", "5651"))
        shop = random.choice(market.by_category[category])
        use = _buy_on_web(random, crew, victim, shop, euro=random.uniform(220, 1500))
        uses.append((random.uniform(8, 40), use))
    return uses


SCENARIOS: dict[str, Callable[[Random, Market, Crew, Card], _Uses]] = {
    "card_testing": _test_card,
    "velocity_burst": _burst,
    "impossible_travel": _travel_impossibly,
    "account_takeover": _take_over_account,
}
# How often each is chosen: the shorter a campaign, the more often.
FREQUENCIES = (3, 2, 5, 4)
MEAN_CAMPAIGN = 4.4
"""Transactions of a campaign, on average."""


def _buy_on_web(
    random: Random,
    crew: Crew,
    victim: Card,
    shop: Merchant,
    *,
    euro: float,
    decline_reason: str | None = None,
) -> CardUse:
    device_id = random.choice(crew.devices)
    device = write_device(
        device_id,
        random.choice(crew.ip_addresses),
        crew.country,
        victim.holder.address,
    )
    return CardUse(
        card=victim,
        merchant=shop,
        channel="ecom",
        amount=price_in_euro(shop, euro),
        decline_reason=decline_reason,
        device_id=device_id,
        device=device,
    )
