"""The cities where people live and shop, and how far they are from each other."""

from __future__ import annotations

import math
from dataclasses import dataclass

EARTH_RADIUS_KM = 6371.0088


@dataclass(frozen=True, slots=True, kw_only=True)
class City:
    """A city; ``weight`` is its share of the customers, ``utc_hours`` its distance from UTC."""

    name: str
    country: str
    currency: str
    latitude: float
    longitude: float
    utc_hours: int
    weight: int


def distance_km(
    latitude: float, longitude: float, other_latitude: float, other_longitude: float
) -> float:
    """Great-circle distance by the haversine formula.

    >>> round(distance_km(52.52, 13.405, 48.857, 2.352))  # Berlin to Paris
    877
    """
    phi, other_phi = math.radians(latitude), math.radians(other_latitude)
    half = math.sin((other_phi - phi) / 2) ** 2 + (
        math.cos(phi)
        * math.cos(other_phi)
        * math.sin(math.radians(other_longitude - longitude) / 2) ** 2
    )
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(half))


# name, country, currency, latitude, longitude, hours from UTC, weight
_CITIES = (
    ("Berlin", "DE", "EUR", 52.520, 13.405, 1, 9),
    ("Hamburg", "DE", "EUR", 53.551, 9.994, 1, 5),
    ("Munich", "DE", "EUR", 48.137, 11.575, 1, 6),
    ("Cologne", "DE", "EUR", 50.938, 6.960, 1, 4),
    ("Vienna", "AT", "EUR", 48.208, 16.374, 1, 5),
    ("Zurich", "CH", "CHF", 47.377, 8.541, 1, 3),
    ("Paris", "FR", "EUR", 48.857, 2.352, 1, 9),
    ("Lyon", "FR", "EUR", 45.764, 4.836, 1, 3),
    ("Brussels", "BE", "EUR", 50.850, 4.352, 1, 3),
    ("Amsterdam", "NL", "EUR", 52.368, 4.904, 1, 5),
    ("London", "GB", "GBP", 51.507, -0.128, 0, 9),
    ("Manchester", "GB", "GBP", 53.481, -2.242, 0, 3),
    ("Dublin", "IE", "EUR", 53.350, -6.260, 0, 3),
    ("Madrid", "ES", "EUR", 40.417, -3.703, 1, 6),
    ("Barcelona", "ES", "EUR", 41.385, 2.173, 1, 4),
    ("Lisbon", "PT", "EUR", 38.722, -9.139, 0, 3),
    ("Rome", "IT", "EUR", 41.903, 12.496, 1, 5),
    ("Milan", "IT", "EUR", 45.464, 9.190, 1, 5),
    ("Copenhagen", "DK", "DKK", 55.676, 12.568, 1, 3),
    ("Stockholm", "SE", "SEK", 59.329, 18.069, 1, 4),
    ("Oslo", "NO", "NOK", 59.914, 10.752, 1, 2),
    ("Helsinki", "FI", "EUR", 60.170, 24.938, 2, 2),
    ("Warsaw", "PL", "PLN", 52.230, 21.012, 1, 4),
    ("Prague", "CZ", "CZK", 50.076, 14.438, 1, 3),
    ("Budapest", "HU", "HUF", 47.498, 19.040, 1, 2),
    ("Bucharest", "RO", "RON", 44.427, 26.103, 2, 2),
    ("Athens", "GR", "EUR", 37.984, 23.728, 2, 2),
    ("Istanbul", "TR", "TRY", 41.008, 28.978, 3, 2),
    ("New York", "US", "USD", 40.713, -74.006, -5, 5),
    ("Chicago", "US", "USD", 41.878, -87.630, -6, 2),
    ("Miami", "US", "USD", 25.762, -80.192, -5, 1),
    ("San Francisco", "US", "USD", 37.775, -122.419, -8, 2),
    ("Toronto", "CA", "CAD", 43.653, -79.383, -5, 2),
    ("Mexico City", "MX", "MXN", 19.433, -99.133, -6, 1),
    ("Sao Paulo", "BR", "BRL", -23.551, -46.633, -3, 2),
    ("Johannesburg", "ZA", "ZAR", -26.204, 28.047, 2, 1),
    ("Dubai", "AE", "AED", 25.205, 55.271, 4, 1),
    ("Mumbai", "IN", "INR", 19.076, 72.878, 5, 2),
    ("Bangkok", "TH", "THB", 13.756, 100.502, 7, 1),
    ("Singapore", "SG", "SGD", 1.352, 103.820, 8, 2),
    ("Hong Kong", "HK", "HKD", 22.319, 114.169, 8, 1),
    ("Tokyo", "JP", "JPY", 35.676, 139.650, 9, 3),
    ("Seoul", "KR", "KRW", 37.567, 126.978, 9, 1),
    ("Sydney", "AU", "AUD", -33.869, 151.209, 10, 1),
)

CITIES = tuple(
    City(
        name=name,
        country=country,
        currency=currency,
        latitude=latitude,
        longitude=longitude,
        utc_hours=utc_hours,
        weight=weight,
    )
    for name, country, currency, latitude, longitude, utc_hours, weight in _CITIES
)
