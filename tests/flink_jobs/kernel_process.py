"""Talking to the kernel's process: events in, verdicts out."""

from __future__ import annotations

import base64
import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fraudlake.stack.java import FOR_FLINK, find_java
from pipelines.columns import transaction_columns
from pipelines.expressions.interpret import fires
from pipelines.features import KEY_COLUMNS
from pipelines.fx import load_fx

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pipelines.contracts.transaction import Transaction
    from pipelines.features import Stage
    from pipelines.reference import Arrival

FX = load_fx()


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the kernel said of one event."""

    is_late: bool
    is_duplicate: bool
    duplicate_of_offset: int | None
    previous_transaction_id: str | None
    number: int
    """Of the card's rows, where the plan numbers them; else 0."""
    features: dict[str, float | None]


class Kernel:
    """The process that runs it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(
        self, stage: Stage, arrivals: Sequence[Arrival], *, is_fresh: bool = True
    ) -> list[Verdict]:
        """Feed the arrivals in order, to empty cards or to those of the run before."""
        if is_fresh:
            self._send("fresh")
        self._send(f"plan\t{stage.plan_json()}")
        return [self._ask(stage, arrival) for arrival in arrivals]

    def let_go(self, key: str) -> None:
        """What the timer of an idle key does."""
        self._send(f"let-go\t{key}")

    def size_of(self, key: str) -> int:
        """The bytes that the kernel remembers of a key."""
        self._send(f"size\t{key}")
        assert self._process.stdout is not None
        return int(self._process.stdout.readline())

    def _ask(self, stage: Stage, arrival: Arrival) -> Verdict:
        transaction = arrival.transaction
        values = [
            getattr(transaction, KEY_COLUMNS[stage.entity]),
            transaction.transaction_id,
            transaction.event_time_ms,
            FX.to_base_minor(transaction.amount, transaction.currency),
            flags_of(stage, transaction),
            "" if transaction.latitude is None else transaction.latitude,
            "" if transaction.longitude is None else transaction.longitude,
            arrival.offset,
            *(getattr(transaction, name) or "" for name in stage.all_categories),
        ]
        self._send("\t".join(["event", *map(str, values)]))
        assert self._process.stdout is not None
        late, repeat, offset, previous, number, *features = (
            self._process.stdout.readline().rstrip("\n").split("\t")
        )
        names = [feature.name for feature in stage.features]
        return Verdict(
            is_late=late == "1",
            is_duplicate=repeat == "1",
            duplicate_of_offset=int(offset) if repeat == "1" else None,
            previous_transaction_id=previous or None,
            number=int(number),
            features={
                name: None if value == "" else float(value)
                for name, value in zip(names, features, strict=True)
            },
        )

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()


class Decoder:
    """The process that decodes records."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def read(self, value: bytes | None) -> tuple[str, ...]:
        """``("ok", event time, minor units)`` as text, or the fault's code and its sentence."""
        line = "-" if value is None else base64.b64encode(value).decode()
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        assert self._process.stdout is not None
        return tuple(self._process.stdout.readline().rstrip("\n").split("\t"))


def flags_of(stage: Stage, transaction: Transaction) -> int:
    """The bits of the filters that the transaction passes, as the job's SQL computes them."""
    row = {}
    for column in transaction_columns():
        value = getattr(transaction, column.name, None)
        row[column.name] = column.default if value is None else value
    row["amount"] = float(transaction.amount)
    row["base_amount"] = FX.to_base_minor(transaction.amount, transaction.currency) / 100
    return sum(
        1 << stage.all_filters.index(item.name)
        for item in stage.filters
        if fires(item.condition, row)
    )


@contextmanager
def running(class_path: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    java = find_java(FOR_FLINK, os.environ).home / "bin" / "java"
    # Too short a life for the optimiser to repay, on cores that the tests need themselves.
    options = ("-Xmx256m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
    process = subprocess.Popen(
        [java, *options, "-cp", class_path, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        bufsize=1,
    )
    yield process
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(30) == 0
    assert process.stdout is not None
    process.stdout.close()
