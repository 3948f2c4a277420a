"""The merchants: shops and cash machines in the districts of each city, and shops on the web."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.generator.places import CITIES, City

if TYPE_CHECKING:
    from random import Random

    from pipelines.fx import FxTable

DISTRICTS_PER_CITY = 6
SHOPS_PER_DISTRICT = 24
WEB_SHOPS = 240
WHOLE_UNITS = frozenset({"JPY", "KRW", "HUF"})
"""Currencies whose prices have no decimals."""

ATM = "6011"
DIGITAL_GOODS = "5816"
GIFT_CARDS = "5947"
ELECTRONICS = "5732"

_Point = tuple[float, float]
"""Latitude and longitude."""
_Prices = tuple[float, float, int]

# category: (median in euro, spread of the logarithm, weight)
_SHOP_CATEGORIES: dict[str, _Prices] = {
    "5411": (28.0, 0.60, 30),  # groceries
    "5814": (11.0, 0.45, 15),  # fast food
    "5812": (26.0, 0.55, 14),  # restaurants
    "5541": (48.0, 0.35, 8),  # fuel
    "4111": (4.5, 0.50, 8),  # local transport
    "5912": (18.0, 0.60, 7),  # pharmacies
    "5651": (55.0, 0.60, 7),  # clothing
    "5813": (16.0, 0.50, 5),  # bars
    ELECTRONICS: (85.0, 0.70, 2),
    "7011": (115.0, 0.40, 2),  # hotels
}
_WEB_CATEGORIES: dict[str, _Prices] = {
    "5999": (34.0, 0.65, 36),  # marketplaces
    DIGITAL_GOODS: (9.0, 0.55, 14),
    "4899": (12.0, 0.20, 12),  # subscriptions
    "5651": (52.0, 0.60, 12),
    "5812": (27.0, 0.40, 9),  # delivered meals
    ELECTRONICS: (90.0, 0.70, 5),
    GIFT_CARDS: (38.0, 0.45, 4),
    "4511": (140.0, 0.50, 3),  # airlines
    "7995": (25.0, 0.80, 3),  # betting
    "6051": (60.0, 0.80, 2),  # quasi cash
}
_CASH: _Prices = (100.0, 0.5, 0)
_WEB_COUNTRIES = ("DE", "US", "GB", "FR", "NL", "IE", "LU", "ES", "IT", "CN")
_WEB_CURRENCIES = {"US": "USD", "GB": "GBP", "CN": "CNY"}
_CASH_EURO = (20, 40, 50, 50, 100, 100, 150, 200, 200)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """A merchant, with the pieces of JSON its transactions share ready to be joined."""

    merchant_id: str
    category: str
    currency: str
    euro_rate: float
    """Units of the base currency for one unit of the merchant's."""
    log_median: float
    """Of its prices, in its own currency."""
    spread: float
    price_format: str
    notes: tuple[str, ...]
    """The amounts a cash machine pays out."""
    identity: str
    place: str


@dataclass(frozen=True, slots=True, kw_only=True)
class District:
    """A part of a city, about a kilometre across, with what can be bought there."""

    city: City
    latitude: float
    longitude: float
    shops: tuple[Merchant, ...]
    cash_machines: tuple[Merchant, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """All merchants of the world."""

    districts: tuple[tuple[District, ...], ...]
    """By city, in the order of ``CITIES``."""
    web_shops: tuple[Merchant, ...]
    by_category: dict[str, tuple[Merchant, ...]]
    """Web shops."""


def build_market(random: Random, fx: FxTable) -> Market:
    """The same merchants for the same random state and rates."""
    web_shops = tuple(_web_shop(random, fx) for _ in range(WEB_SHOPS))
    return Market(
        districts=tuple(
            tuple(_district(random, fx, city) for _ in range(DISTRICTS_PER_CITY)) for city in CITIES
        ),
        web_shops=web_shops,
        by_category={
            category: tuple(shop for shop in web_shops if shop.category == category)
            for category in _WEB_CATEGORIES
        },
    )


def _district(random: Random, fx: FxTable, city: City) -> District:
    centre = _near(random, (city.latitude, city.longitude), 4.0)
    categories = [
        *_SHOP_CATEGORIES,  # each at least once; the rest by weight
        *_draw(random, _SHOP_CATEGORIES, SHOPS_PER_DISTRICT - len(_SHOP_CATEGORIES)),
    ]
    random.shuffle(categories)
    return District(
        city=city,
        latitude=centre[0],
        longitude=centre[1],
        shops=tuple(_on_site(random, fx, city, centre, category) for category in categories),
        cash_machines=tuple(_on_site(random, fx, city, centre, ATM) for _ in range(2)),
    )


def _draw(random: Random, categories: dict[str, _Prices], count: int) -> list[str]:
    weights = [weight for _, _, weight in categories.values()]
    return random.choices(list(categories), weights, k=count)


def _near(random: Random, point: _Point, spread_km: float) -> _Point:
    """A point within ``spread_km`` north or south and east or west, to five decimals."""
    latitude, longitude = point
    north, east = (spread_km * (2 * random.random() - 1) / 111.2 for _ in range(2))
    return (
        round(latitude + north, 5),
        round(longitude + east / math.cos(math.radians(latitude)), 5),
    )


def _on_site(random: Random, fx: FxTable, city: City, centre: _Point, category: str) -> Merchant:
    prices = _SHOP_CATEGORIES.get(category, _CASH)
    at = _near(random, centre, 0.6)
    place = f',"country":"{city.country}","latitude":{at[0]},"longitude":{at[1]}'
    rate = float(fx.rates[city.currency])
    return Merchant(
        **_trade(random, category, prices, rate),
        currency=city.currency,
        euro_rate=rate,
        price_format=".0f" if city.currency in WHOLE_UNITS else ".2f",
        notes=_notes(rate),
        place=place,
    )


def _web_shop(random: Random, fx: FxTable) -> Merchant:
    (category,) = _draw(random, _WEB_CATEGORIES, 1)
    country = random.choice(_WEB_COUNTRIES)
    currency = _WEB_CURRENCIES.get(country, "EUR")
    rate = float(fx.rates[currency])
    return Merchant(
        **_trade(random, category, _WEB_CATEGORIES[category], rate),
        currency=currency,
        euro_rate=rate,
        price_format=".2f",
        notes=(),
        place=f',"country":"{country}"',
    )


def _trade(random: Random, category: str, prices: _Prices, rate: float) -> dict[str, Any]:
    """Who the merchant is, and what things cost there."""
    median, spread, _ = prices
    merchant_id = f"m_{random.getrandbits(40):010x}"
    return {
        "merchant_id": merchant_id,
        "category": category,
        "log_median": math.log(median * random.uniform(0.8, 1.25) / rate),
        "spread": spread,
        "identity": f'"merchant_id":"{merchant_id}","merchant_category":"{category}"',
    }


@functools.cache
def _notes(euro_rate: float) -> tuple[str, ...]:
    """What cash machines offer in a currency: asked for by each of thousands of merchants."""
    return tuple(str(_round_note(euro / euro_rate)) for euro in _CASH_EURO)


def _round_note(amount: float) -> int:
    """The nearest amount a cash machine offers: one or two leading digits.

    >>> _round_note(54.3), _round_note(8196.7)
    (50, 8000)
    """
    step: int = 10 ** max(1, math.floor(math.log10(amount)))
    return max(step, round(amount / step) * step)
