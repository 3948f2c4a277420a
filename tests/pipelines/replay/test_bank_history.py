"""The shipped example: made by its script, and whole when replayed."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipelines.contracts.transaction import Transaction, parse_transaction
from pipelines.fx import load_fx
from pipelines.generator import GeneratorOptions, generate
from pipelines.pacing import Pace
from pipelines.replay.mapping_file import check_columns, load_mapping
from pipelines.replay.player import Destination, Replayed, replay
from pipelines.replay.sources import FileLayout, open_source

if TYPE_CHECKING:
    from pipelines.replay.rows import Row, RowFault

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"
RATES = load_fx().rates


class Sent:
    """A legal RecordSender that keeps everything."""

    def __init__(self) -> None:
        self.acknowledged: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.last_failure: str | None = None
        self.transactions: list[Transaction] = []

    def send(self, topic: str, key: bytes | None, value: bytes | None) -> None:
        del topic, key
        self.transactions.append(parse_transaction(value, currencies=RATES))

    def wait(self, seconds: float) -> None:
        raise AssertionError

    def flush(self) -> None:
        pass


class NoRejects:
    """A legal RejectSink for a file without faults."""

    def write(self, row: Row, fault: RowFault) -> None:
        raise AssertionError(f"row {row.number}: {fault.detail}")


@pytest.fixture(scope="module")
def replayed() -> tuple[Replayed, list[Transaction]]:
    path = EXAMPLES / "bank_history.csv"
    mapping = load_mapping(EXAMPLES / "bank_history.toml", currencies=RATES)
    source = open_source(path, FileLayout(format="csv", delimiter=mapping.delimiter))
    check_columns(mapping, source.columns, path)
    sent = Sent()
    destination = Destination(sender=sent, topic="t", currencies=RATES, now_ms=lambda: 2 * 10**12)
    pace = Pace(speed=None, clock=lambda: 0.0)
    summary = replay(source.rows, mapping, destination, NoRejects(), pace=pace)
    source.close()
    return summary, sent.transactions


def test_the_example_is_what_its_script_makes() -> None:
    made = subprocess.run(
        [sys.executable, str(EXAMPLES / "make_bank_history.py")], capture_output=True, check=True
    )
    assert made.stdout == (EXAMPLES / "bank_history.csv").read_bytes()


def test_every_row_of_the_example_becomes_the_transaction_it_was_made_of(
    replayed: tuple[Replayed, list[Transaction]],
) -> None:
    summary, transactions = replayed
    assert (summary.rows, summary.sent) == (300, 300)
    options = GeneratorOptions(
        seed=11,
        start_ms=1_772_427_600_000,
        cards=40,
        rate=0.005,
        fraud_rate=0.06,
        count=300,
    )
    originals = [
        parse_transaction(each.value, currencies=RATES)
        for each in generate(options)
        if each.kind == "transaction"
    ]
    for original, found in zip(originals, transactions, strict=True):
        assert f"t_{found.transaction_id.lower()}" == original.transaction_id
        for name in ("card_id", "event_time_ms", "amount", "currency", "channel", "entry_mode"):
            assert getattr(found, name) == getattr(original, name)
        for name in ("kind", "status", "decline_reason", "latitude", "longitude", "device_id"):
            assert getattr(found, name) == getattr(original, name)
        assert set(found.unknown) == {"BRANCH"}
