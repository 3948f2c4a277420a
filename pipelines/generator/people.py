"""The customers and their cards: where they live, how they move, what they own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.contracts.customer import Customer, encode_customer
from pipelines.generator.merchants import DISTRICTS_PER_CITY
from pipelines.generator.places import CITIES

if TYPE_CHECKING:
    from random import Random

    from pipelines.generator.merchants import Market

DAY_MS = 86_400_000
COUNTRIES = tuple(sorted({city.country for city in CITIES}))
FLYER_SHARE = 0.10
SLOW_SHARE = 0.12
USUAL_SPEED_KMH = 900.0
_SLOW_SPEEDS_KMH = (150.0, 200.0, 300.0, 500.0)


@dataclass(slots=True, kw_only=True)
class Person:
    """A customer in motion: profile, belongings, and where a card was last shown."""

    customer_id: str
    max_speed_kmh: float | None
    home_city: int
    home_district: int
    home_country: str
    city: int
    district: int
    placed_ms: int
    """When a card was last shown at ``city`` and ``district``."""
    utc_hours: int
    spending: float
    """Logarithm of how much more than others the person spends."""
    habit: int
    """Where in a list of merchants the favourite ones begin."""
    device_id: str
    second_device_id: str
    ip_address: str
    address: str
    """JSON of the billing and shipping address."""


@dataclass(slots=True, kw_only=True)
class Card:
    """A card and what its holder may do with it next."""

    card_id: str
    holder: Person
    identity: str
    """JSON of card and customer id."""
    rests_until_ms: int = 0
    """It was just used; the holder is not likely to use it before."""
    attacked_until_ms: int = 0
    """A campaign on it is under way."""
    hidden_until_ms: int = 0
    """After an attack: the holder shows it nowhere."""


def build_people(
    random: Random, market: Market, *, cards: int, start_ms: int
) -> tuple[list[Card], list[tuple[bytes, bytes]]]:
    """All cards, and key and value of each customer's profile."""
    weights = [city.weight for city in CITIES]
    made: list[Card] = []
    profiles: list[tuple[bytes, bytes]] = []
    while len(made) < cards:
        home = random.choices(range(len(CITIES)), weights)[0]
        person, profile = _person(random, market, home, start_ms)
        profiles.append((person.customer_id.encode(), profile))
        for _ in range(min(cards - len(made), 2 if random.random() < 0.25 else 1)):
            made.append(_card(random, person))
    return made, profiles


def new_device(random: Random) -> str:
    """A device nobody has seen before."""
    return f"d_{random.getrandbits(48):012x}"


def new_ip(random: Random, country: str) -> str:
    """An address of a network of ``country``."""
    network = 11 + COUNTRIES.index(country) * 5
    return f"{network}.{random.randrange(256)}.{random.randrange(256)}.{random.randrange(1, 255)}"


def _person(random: Random, market: Market, home: int, start_ms: int) -> tuple[Person, bytes]:
    customer_id = f"u_{random.getrandbits(48):012x}"
    city = CITIES[home]
    district = random.randrange(DISTRICTS_PER_CITY)
    centre = market.districts[home][district]
    latitude = round(centre.latitude + random.uniform(-0.008, 0.008), 5)
    longitude = round(centre.longitude + random.uniform(-0.008, 0.008), 5)
    speed = _draw_speed(random)
    device_id = new_device(random)
    person = Person(
        customer_id=customer_id,
        max_speed_kmh=speed,
        home_city=home,
        home_district=district,
        home_country=city.country,
        city=home,
        district=district,
        placed_ms=start_ms - int(random.uniform(0.25, 3) * DAY_MS),
        utc_hours=city.utc_hours,
        spending=random.gauss(0.0, 0.3),
        habit=random.randrange(1 << 20),
        device_id=device_id,
        second_device_id=new_device(random) if random.random() < 0.4 else device_id,
        ip_address=new_ip(random, city.country),
        address=_address(city.country, latitude, longitude),
    )
    profile = Customer(
        customer_id=customer_id,
        updated_at_ms=start_ms - int(random.uniform(1, 400) * DAY_MS),
        max_speed_kmh=speed,
        home_latitude=latitude,
        home_longitude=longitude,
        home_country=city.country,
    )
    return person, encode_customer(profile)


def _draw_speed(random: Random) -> float | None:
    draw = random.random()
    if draw < FLYER_SHARE:
        return None
    if draw < FLYER_SHARE + SLOW_SHARE:
        return random.choice(_SLOW_SPEEDS_KMH)
    return USUAL_SPEED_KMH


def _address(country: str, latitude: float, longitude: float) -> str:
    return (
        f',"billing_country":"{country}","shipping_country":"{country}",'
        f'"billing_latitude":{latitude},"billing_longitude":{longitude},'
        f'"shipping_latitude":{latitude},"shipping_longitude":{longitude}'
    )


def _card(random: Random, person: Person) -> Card:
    card_id = f"c_{random.getrandbits(56):014x}"
    return Card(
        card_id=card_id,
        holder=person,
        identity=f'"card_id":"{card_id}","customer_id":"{person.customer_id}"',
    )


def weigh_cards(random: Random, cards: int, skew: float | None) -> list[float]:
    """Running sums of how often each card is used, relative to the others."""
    total = 0.0
    sums: list[float] = []
    for rank in range(1, cards + 1):
        total += math.exp(random.gauss(0.0, 0.5)) if skew is None else rank**-skew
        sums.append(total)
    return sums
