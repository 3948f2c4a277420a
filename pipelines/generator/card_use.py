"""One use of a card, and how it is written: the same way whoever holds the card."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from pipelines.generator.merchants import Merchant
    from pipelines.generator.people import Card


@dataclass(frozen=True, slots=True, kw_only=True)
class CardUse:
    """What a terminal or a web shop reports, but for id and time."""

    card: Card
    merchant: Merchant
    channel: str
    amount: str
    kind: str = "purchase"
    decline_reason: str | None = None
    entry_mode: str | None = None
    """At a terminal."""
    device_id: str = ""
    device: str = ""
    """On the web: JSON of device, network and addresses."""


def write_use(use: CardUse, transaction_id: str, event_time: str) -> bytes:
    """The transaction as JSON."""
    entry = "" if use.entry_mode is None else f',"entry_mode":"{use.entry_mode}"'
    outcome = (
        '"approved"'
        if use.decline_reason is None
        else f'"declined","decline_reason":"{use.decline_reason}"'
    )
    return (
        f'{{"transaction_id":"{transaction_id}","event_time":"{event_time}",{use.card.identity},'
        f'{use.merchant.identity},"amount":{use.amount},"currency":"{use.merchant.currency}",'
        f'"channel":"{use.channel}"{entry},"kind":"{use.kind}","status":{outcome}'
        f"{use.merchant.place}{use.device}}}"
    ).encode()


def write_device(device_id: str, ip_address: str, ip_country: str, address: str) -> str:
    """The piece of JSON for ``CardUse.device``."""
    return (
        f',"device_id":"{device_id}","ip_address":"{ip_address}","ip_country":"{ip_country}"'
        f"{address}"
    )


def draw_price(random: Random, merchant: Merchant, spending: float) -> str:
    """A price of the merchant's kind, for somebody who spends so much more than others."""
    price = math.exp(merchant.log_median + spending + merchant.spread * random.gauss(0.0, 1.0))
    return format(max(price, 1.0), merchant.price_format)


def price_in_euro(merchant: Merchant, euro: float) -> str:
    """About ``euro`` in the merchant's currency."""
    return format(max(euro / merchant.euro_rate, 1.0), merchant.price_format)
