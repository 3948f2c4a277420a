"""A table of decisions in many small files, as a sink leaves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.ingest.rows import decode_rows
from sinks.lakehouse.position import Position
from sinks.lakehouse.tables import DECISIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyiceberg.table import Table

    from sinks.lakehouse.ingest.records import Records


@pytest.fixture
def open_table(decisions_table: Callable[[], Table]) -> Callable[[], Table]:
    """The table as it is now."""
    return decisions_table


@pytest.fixture
def store(
    open_table: Callable[[], Table],
    decision: Callable[..., bytes],
    records: Callable[..., Records],
) -> Callable[..., None]:
    """Store transactions, each given by what it changes, in one commit of the sink."""

    def build(*transactions: dict[str, Any]) -> None:
        ledger = Ledger(open_table())
        before = 0 if ledger.position is None else ledger.position.next_offsets[0]
        values = [decision(one) for one in transactions]
        position = Position(
            cluster_id="c",
            topic_id="t",
            topic="decisions",
            next_offsets={0: before + len(values)},
            dead_letters=0,
        )
        ledger.commit(decode_rows(DECISIONS, records(*values, offset=before)).rows, position)

    return build
