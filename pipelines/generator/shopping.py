"""How honest people use their cards: by day, near by, at favourite places, and on journeys.

Nobody moves faster than they may: a purchase that could not be reached in time is made on the web
instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.generator.card_use import CardUse, draw_price, write_device
from pipelines.generator.emission import HOUR_MS
from pipelines.generator.merchants import DISTRICTS_PER_CITY
from pipelines.generator.people import new_device, new_ip
from pipelines.generator.places import CITIES, distance_km

if TYPE_CHECKING:
    from random import Random

    from pipelines.generator.merchants import District, Market, Merchant
    from pipelines.generator.people import Card, Person

WEB_SHARE = 0.38
CASH_SHARE = 0.05
REST_MS = 60_000
"""A holder seldom pays twice within it; with few cards for the rate it happens all the same."""
CITY_SPEED_KMH = 30.0
CRUISE_KMH = 800.0
# How much of a city is awake and shopping, by local hour.
DAILY_RHYTHM = (
    *(0.10, 0.06, 0.04, 0.03, 0.04, 0.08, 0.20, 0.42, 0.62, 0.72, 0.80, 0.90),
    *(1.00, 0.95, 0.85, 0.82, 0.88, 0.98, 1.00, 0.90, 0.72, 0.55, 0.36, 0.20),
)


def use_honestly(random: Random, market: Market, card: Card, now_ms: int) -> CardUse:
    """The holder's next use of ``card``; moves the holder there."""
    holder = card.holder
    card.rests_until_ms = now_ms + REST_MS
    is_hidden = now_ms < card.hidden_until_ms
    draw = random.random()
    if draw < WEB_SHARE or is_hidden or not _move(random, market, holder, now_ms):
        return _use_on_web(random, market, card)
    holder.placed_ms = now_ms
    district = market.districts[holder.city][holder.district]
    if draw < WEB_SHARE + CASH_SHARE:
        return _use_cash_machine(random, card, district)
    return _use_in_shop(random, card, district)


def is_awake(random: Random, card: Card, now_ms: int) -> bool:
    """Whether the holder is out and about, by the local hour."""
    hour = (now_ms // HOUR_MS + card.holder.utc_hours) % 24
    return random.random() < DAILY_RHYTHM[hour]


def _move(random: Random, market: Market, person: Person, now_ms: int) -> bool:
    """Perhaps go elsewhere; False when the person could not have got there in time."""
    gap_hours = (now_ms - person.placed_ms) / HOUR_MS
    if gap_hours < 0:
        return False
    if gap_hours > 3 and random.random() < (0.35 if person.city != person.home_city else 0.02):
        _travel(random, person, gap_hours)
        return True
    if random.random() < 0.25:
        district = random.randrange(DISTRICTS_PER_CITY)
        return _cross_town(market, person, district, gap_hours)
    return True


def _travel(random: Random, person: Person, gap_hours: float) -> None:
    if person.city != person.home_city:
        city, district = person.home_city, person.home_district
    else:
        city, district = random.randrange(len(CITIES)), random.randrange(DISTRICTS_PER_CITY)
    start, end = CITIES[person.city], CITIES[city]
    way_km = distance_km(start.latitude, start.longitude, end.latitude, end.longitude) + 20
    fastest = CRUISE_KMH if person.max_speed_kmh is None else min(CRUISE_KMH, person.max_speed_kmh)
    if way_km / (0.7 * fastest) + 1.5 <= gap_hours:
        person.city, person.district, person.utc_hours = city, district, end.utc_hours


def _cross_town(market: Market, person: Person, district: int, gap_hours: float) -> bool:
    here = market.districts[person.city][person.district]
    there = market.districts[person.city][district]
    way_km = distance_km(here.latitude, here.longitude, there.latitude, there.longitude)
    if district != person.district and (way_km + 1.5) / CITY_SPEED_KMH > gap_hours:
        return False
    person.district = district
    return True


def _use_in_shop(random: Random, card: Card, district: District) -> CardUse:
    merchant = _favourite(random, card.holder, district.shops)
    draw = random.random()
    entry_mode = "contactless" if draw < 0.52 else "chip" if draw < 0.97 else "magstripe"
    kind = "refund" if random.random() < 0.008 else "purchase"
    return CardUse(
        card=card,
        merchant=merchant,
        channel="pos",
        amount=draw_price(random, merchant, card.holder.spending),
        kind=kind,
        entry_mode=entry_mode,
        decline_reason=None if kind == "refund" else _decline(random, "wrong_pin"),
    )


def _use_cash_machine(random: Random, card: Card, district: District) -> CardUse:
    merchant = random.choice(district.cash_machines)
    return CardUse(
        card=card,
        merchant=merchant,
        channel="atm",
        amount=random.choice(merchant.notes),
        kind="withdrawal",
        entry_mode="chip" if random.random() < 0.9 else "magstripe",
        decline_reason=_decline(random, "wrong_pin"),
    )


def _use_on_web(random: Random, market: Market, card: Card) -> CardUse:
    holder = card.holder
    merchant = _favourite(random, holder, market.web_shops)
    draw = random.random()
    device_id = holder.device_id if draw < 0.7 else holder.second_device_id
    if draw > 0.996:  # a new telephone
        holder.second_device_id = device_id = new_device(random)
    country = CITIES[holder.city].country
    away = holder.city != holder.home_city
    ip_address = new_ip(random, country) if away or draw > 0.97 else holder.ip_address
    kind = "refund" if random.random() < 0.015 else "purchase"
    return CardUse(
        card=card,
        merchant=merchant,
        channel="ecom",
        amount=draw_price(random, merchant, holder.spending),
        kind=kind,
        decline_reason=None if kind == "refund" else _decline(random, "wrong_cvv"),
        device_id=device_id,
        device=write_device(device_id, ip_address, country, holder.address),
    )


def _favourite(random: Random, person: Person, merchants: tuple[Merchant, ...]) -> Merchant:
    """One of the person's usual ones most of the time, any other now and then."""
    rank = int(random.random() ** 3 * len(merchants))
    return merchants[(person.habit + rank) % len(merchants)]


def _decline(random: Random, mistake: str) -> str | None:
    draw = random.random()
    if draw > 0.022:
        return None
    return "insufficient_funds" if draw > 0.010 else mistake if draw > 0.003 else "limit_exceeded"
