"""Streams of one card for the tests of the reference, and what it decides on them."""

from __future__ import annotations

from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

from pipelines.contracts.transaction import Transaction
from pipelines.features import load_features
from pipelines.fx import load_fx
from pipelines.reference import Arrival, Decided, decide_stream

if TYPE_CHECKING:
    from pathlib import Path

FEATURES = load_features()
FX = load_fx()
SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
START = 1_767_225_600_000  # 2026-01-01

BERLIN = {"latitude": 52.52, "longitude": 13.405}
PARIS = {"latitude": 48.8566, "longitude": 2.3522}


def use(id: str, at_ms: int, amount: str = "10", **more: Any) -> Transaction:
    """A card's purchase at a shop, so many milliseconds after the start."""
    values: dict[str, Any] = {
        "card_id": "card-1",
        "customer_id": "customer-1",
        "merchant_id": "shop-1",
        "merchant_category": "5411",
        "currency": "EUR",
        "channel": "pos",
        **more,
    }
    return Transaction(
        transaction_id=id, event_time_ms=START + at_ms, amount=Decimal(amount), **values
    )


def decide(*transactions: Transaction, features: str = "", **more: Any) -> list[Decided]:
    """Decided in this order, at the offsets 100, 101, ..."""
    arrivals = [
        Arrival(transaction=transaction, partition=0, offset=offset)
        for transaction, offset in zip(transactions, count(100), strict=False)
    ]
    stages = more.pop("stages", None) or FEATURES.select(features.split())
    return decide_stream(arrivals, stages=stages, fx=FX, **more)


def values(feature: str, *transactions: Transaction, **more: Any) -> list[float | None]:
    return [one.features[feature] for one in decide(*transactions, features=feature, **more)]


def declare(folder: Path, text: str) -> Any:
    """All stages of a declaration of its own."""
    path = folder / "features.toml"
    filters = "[filter]\nshop = \"channel = 'pos'\"\n"
    path.write_text(f"version = 1\n{filters}{text}", encoding="utf-8")
    features = load_features(path)
    return features.select(item.name for item in features.features)
