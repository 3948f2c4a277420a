"""The ready questions about rule sets, over rows worked out by hand."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from decision_records import decision_value, decisions_table
from kept_rulesets import ARRIVED, TEXT, keep_one, record
from small_history import run, store

from sinks.lakehouse.tables import DECISIONS

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

    from pipelines.settings import Settings


def store_two_versions(settings: Settings, catalog: Catalog) -> tuple[str, str]:
    """Five decisions under two versions, of which only the first is recorded."""
    first = keep_one(settings, 2)
    record(settings)
    second = "mine@0123456789ab"
    decisions_table(catalog)
    made = [
        ("t-1", first, "2026-03-01", ["big"], "block"),
        ("t-2", first, "2026-03-02", ["big"], "allow"),
        ("t-2", first, "2026-03-02", ["big"], "allow"),  # a repeat
        ("t-3", first, "2026-03-02", [], "allow"),
        ("t-4", second, "2026-03-03", ["odd"], "review"),
    ]
    store(
        catalog,
        DECISIONS,
        [
            decision_value(
                {"transaction_id": transaction, "event_time": f"{day}T10:00:00Z"},
                decision_id=str(at) * 32,
                ruleset=ruleset,
                decided_at=f"{day}T10:00:00.500Z",
                base_amount=10 * (at + 1),
                rules_fired=fired,
                band=band,
                is_duplicate=at == 2,
            )
            for at, (transaction, ruleset, day, fired, band) in enumerate(made)
        ],
    )
    return first, second


def test_the_history_of_rule_sets_says_from_when_to_when_each_decided(
    lake_settings: Settings, catalog: Catalog
) -> None:
    first, second = store_two_versions(lake_settings, catalog)

    newest, before = run(lake_settings, "ruleset_history")

    assert (newest["ruleset"], newest["decisions"], newest["flagged_percent"]) == (second, 1, 100)
    assert (newest["published_at"], newest["review_at"], newest["rules"]) == (None, None, None)
    assert (before["ruleset"], before["first_decision"].day, before["last_decision"].day) == (
        first,
        1,
        2,
    )
    assert (before["decisions"], before["flagged"], before["flagged_percent"]) == (3, 1, 33.33)
    assert (before["published_at"], before["origin"], before["source"]) == (
        ARRIVED,
        "published",
        "mine.toml",
    )
    assert (before["review_at"], before["block_at"], before["rules"]) == (1.5, 3.0, 2)


def test_what_decided_a_transaction_is_shown_as_its_file_was(
    lake_settings: Settings, catalog: Catalog
) -> None:
    first, second = store_two_versions(lake_settings, catalog)

    rows = run(lake_settings, "decided_by", transaction="t-2")
    assert [(row["ruleset"], row["text"], row["rules_fired"]) for row in rows] == [
        (first, TEXT.format(weight=2), ["big"])
    ] * 2
    [row] = run(lake_settings, "decided_by", transaction="t-4")
    assert (row["ruleset"], row["band"], row["text"]) == (second, "review", None)


def test_fires_stand_beside_the_condition_of_their_version(
    lake_settings: Settings, catalog: Catalog
) -> None:
    first, second = store_two_versions(lake_settings, catalog)

    rows = run(lake_settings, "fires_by_condition")

    # The repeat counts nowhere; what never fired is there; what is not recorded has no condition.
    assert [tuple(row.values()) for row in rows] == sorted(
        [
            (first, "big", 2, 3, 66.667, Decimal(30), "active", 2.0, "base_amount > 200"),
            (first, "odd", 0, 3, 0.0, None, "shadow", 1.0, "amount < 1"),
            (second, "odd", 1, 1, 100.0, Decimal(50), None, None, None),
        ],
        key=lambda row: row[0],
    )
    recent = run(lake_settings, "fires_by_condition", days="1")
    assert [row["ruleset"] for row in recent] == [second]
