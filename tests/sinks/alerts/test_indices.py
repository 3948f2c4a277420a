from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from sinks.alerts.indices import MonthIndex, name_copy, read_month, sort_out

ALIAS = "fraud-alerts"


def index(name: str, *aliases: str, **body: Any) -> MonthIndex | None:
    return read_month(ALIAS, name, {"aliases": {alias: {} for alias in aliases}, **body})


@pytest.mark.parametrize(
    ("name", "plain_name", "number"),
    [
        ("fraud-alerts-2026.11", "fraud-alerts-2026.11", 1),
        ("fraud-alerts-r2.2026.11", "fraud-alerts-2026.11", 2),
        ("fraud-alerts-r12.2026.11", "fraud-alerts-2026.11", 12),
    ],
)
def test_month_is_read_from_the_name(name: str, plain_name: str, number: int) -> None:
    found = index(name)

    assert found is not None
    assert (found.plain_name, found.number) == (plain_name, number)
    assert found.month == date(2026, 11, 1)


@pytest.mark.parametrize(
    "name",
    [
        "fraud-alerts",
        "fraud-alerts-eu-2026.11",
        "fraud-alerts-r2-2026.11",
        "fraud-alerts-2026.13",
        "fraud-alerts-2026.00",
        "fraud-alerts-0000.01",
        "fraud-alerts-2026.11-old",
        "other-2026.11",
    ],
)
def test_index_of_somebody_else_is_left_alone(name: str) -> None:
    assert index(name) is None


def test_number_that_a_rebuild_gives_is_read_back() -> None:
    name = name_copy(ALIAS, date(2019, 2, 1), 3)
    found = index(name)

    assert found is not None
    assert (found.name, found.month, found.number) == (name, date(2019, 2, 1), 3)


def test_copy_is_told_from_a_month_by_its_aliases() -> None:
    inventory = sort_out(
        ALIAS,
        [
            index("fraud-alerts-r3.2026.10", "fraud-alerts-r3.2026.10-in-work"),
            index("fraud-alerts-r2.2026.10", ALIAS, "fraud-alerts-2026.10"),
            index("fraud-alerts-r2.2026.09", ALIAS),
            index("fraud-alerts-r4.2026.11", "fraud-alerts-r4.2026.11-given-up"),
            index("fraud-alerts-r5.2026.11"),
            index("fraud-alerts-2026.11", ALIAS),
            index("other-2026.11"),
        ],
    )

    assert [one.name for one in inventory.months] == [
        "fraud-alerts-r2.2026.09",
        "fraud-alerts-r2.2026.10",
        "fraud-alerts-2026.11",
    ]
    assert [one.name for one in inventory.copies] == [
        "fraud-alerts-r3.2026.10",
        "fraud-alerts-r4.2026.11",
    ]
    assert [one.name for one in inventory.strays] == ["fraud-alerts-r5.2026.11"]
    # No number is used again.
    assert inventory.next_number(date(2026, 10, 1)) == 4
    assert inventory.next_number(date(2026, 11, 1)) == 6
    assert inventory.next_number(date(2026, 9, 1)) == 3


@pytest.mark.parametrize(("block", "is_writable"), [("true", False), ("false", True)])
def test_block_is_seen(block: str, is_writable: bool) -> None:
    found = index("fraud-alerts-2026.11", settings={"index.blocks.write": block})

    assert found is not None
    assert found.is_writable is is_writable
