"""Makes ``bank_history.csv``: a day of a few cards, in the layout of an imaginary bank.

    python docs/examples/make_bank_history.py > docs/examples/bank_history.csv

The same bytes each time.
"""

from __future__ import annotations

import csv
import sys
from datetime import UTC, datetime
from typing import TextIO
from zoneinfo import ZoneInfo

from pipelines.contracts.times import parse_time
from pipelines.contracts.transaction import Transaction, parse_transaction
from pipelines.fx import load_fx
from pipelines.generator import GeneratorOptions, generate

BERLIN = ZoneInfo("Europe/Berlin")
KINDS = {"purchase": "PUR", "refund": "REF", "withdrawal": "CSH"}
RESULTS = {
    None: "00",
    "insufficient_funds": "51",
    "wrong_pin": "55",
    "limit_exceeded": "61",
    "wrong_cvv": "N7",
}
ENTRIES = {"chip": "CHIP", "contactless": "NFC", "magstripe": "MAG"}
COLUMNS = [
    *("REF", "BOOKED_AT", "CARD_TOKEN", "CLIENT", "ACCEPTOR", "MCC", "AMT_MINOR", "CCY"),
    *("TYPE", "TERMINAL", "RESULT", "CTRY", "LAT", "LON", "DEVICE", "IP", "IP_CTRY", "BRANCH"),
]


def write_history(file: TextIO) -> None:
    """The whole file."""
    rates = load_fx().rates
    options = GeneratorOptions(
        seed=11,
        start_ms=parse_time("2026-03-02T05:00:00Z"),
        cards=40,
        rate=0.005,
        fraud_rate=0.06,
        count=300,
    )
    writer = csv.writer(file, delimiter=";", lineterminator="\n")
    writer.writerow(COLUMNS)
    for emission in generate(options):
        if emission.kind == "transaction":
            writer.writerow(_row(parse_transaction(emission.value, currencies=rates)))


def _row(transaction: Transaction) -> list[object]:
    moment = datetime.fromtimestamp(transaction.event_time_ms / 1000, UTC).astimezone(BERLIN)
    digits = 0 if transaction.currency in {"JPY", "KRW"} else 2
    entry = transaction.entry_mode
    return [
        transaction.transaction_id.removeprefix("t_").upper(),
        f"{moment:%d.%m.%Y %H:%M:%S}.{transaction.event_time_ms % 1000:03d}",
        transaction.card_id,
        transaction.customer_id,
        transaction.merchant_id,
        transaction.merchant_category,
        int(transaction.amount.scaleb(digits)),
        transaction.currency,
        KINDS[transaction.kind or "purchase"],
        "WEB" if entry is None else f"{transaction.channel.upper()}/{ENTRIES[entry]}",
        RESULTS[transaction.decline_reason],
        transaction.country,
        _decimal_comma(transaction.latitude),
        _decimal_comma(transaction.longitude),
        transaction.device_id,
        transaction.ip_address,
        transaction.ip_country,
        f"{int(transaction.customer_id[-2:], 16) % 7:03d}",
    ]


def _decimal_comma(number: float | None) -> str:
    return "-" if number is None else str(number).replace(".", ",")


if __name__ == "__main__":
    write_history(sys.stdout)
