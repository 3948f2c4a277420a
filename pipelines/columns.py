"""The columns a rule may use: those of a transaction, and every declared feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ColumnType = Literal["number", "text"]
Origin = Literal["transaction", "history", "attribute"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column by name; ``default`` stands in for a missing text, so that it is never NULL.

    ``origin`` says where the value comes from: the transaction itself, the history of its card or
    of another entity, or what is known of the customer.
    """

    name: str
    type: ColumnType
    about: str
    origin: Origin = "transaction"
    default: str | None = None


_TRANSACTION = (
    Column(name="amount", type="number", about="In the transaction's own currency."),
    Column(name="base_amount", type="number", about="In the base currency, major units."),
    Column(name="currency", type="text", about="ISO 4217."),
    Column(name="channel", type="text", about="pos, ecom or atm."),
    Column(name="merchant_id", type="text", about="Where the card was used."),
    Column(name="merchant_category", type="text", about="ISO 18245 merchant category code."),
    Column(
        name="kind",
        type="text",
        about="purchase, refund or withdrawal; purchase where it is missing.",
        default="purchase",
    ),
    Column(
        name="status",
        type="text",
        about="approved or declined; approved where it is missing.",
        default="approved",
    ),
    Column(name="decline_reason", type="text", about="Why it was declined."),
    Column(name="entry_mode", type="text", about="chip, contactless, magstripe or manual."),
    Column(name="country", type="text", about="Of the merchant, ISO 3166-1 alpha-2."),
    Column(name="device_id", type="text", about="The customer's device."),
    Column(name="ip_address", type="text", about="The customer's network address."),
    Column(name="ip_country", type="text", about="Where that address is."),
    Column(name="billing_country", type="text", about="Of the billing address."),
    Column(name="shipping_country", type="text", about="Of the shipping address."),
    Column(name="latitude", type="number", about="Of the merchant, degrees."),
    Column(name="longitude", type="number", about="Of the merchant, degrees."),
)


def transaction_columns() -> tuple[Column, ...]:
    """The columns of the transaction itself, in a fixed order."""
    return _TRANSACTION
