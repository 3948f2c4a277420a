"""The job's SQL: only what the rules need, quoted, and with the plan the kernel is given."""

from __future__ import annotations

import dataclasses
import json
import re
from typing import TYPE_CHECKING

import pytest

from flink_jobs.statement import Statement, write_statement
from flink_jobs.tables import quote
from pipelines.features import load_features
from pipelines.fx import load_fx
from pipelines.rules import load_ruleset
from pipelines.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

FEATURES = load_features()


def plan(ruleset: str, *, topic_prefix: str = "") -> Statement:
    settings = Settings()
    kafka = dataclasses.replace(settings.kafka, topic_prefix=topic_prefix)
    return write_statement(
        dataclasses.replace(settings, kafka=kafka),
        ruleset=load_ruleset(ruleset, FEATURES),
        features=FEATURES,
        fx=load_fx(),
    )


def plans_of(statement: Statement) -> list[dict[str, object]]:
    found = [json.loads(text) for text in re.findall(r"plan => '([^']*)'", statement.script())]
    return [item for item in found if "entity" in item]


def test_classic_needs_one_stage_and_no_customers() -> None:
    statement = plan("classic")
    assert [item["entity"] for item in plans_of(statement)] == ["card"]
    assert statement.sources == ("transactions",)
    assert "customer" not in statement.inserts[1]
    (card,) = plans_of(statement)
    names = [feature["name"] for feature in card["features"]]  # type: ignore[attr-defined]
    ends = ["travel_from_latitude", "travel_from_longitude"]
    assert names == ["card_count_10s", "travel_km", "travel_gap_min", *ends]


def test_speed_asks_customers_before_cards() -> None:
    statement = plan("speed")
    assert [item["entity"] for item in plans_of(statement)] == ["customer", "card"]
    assert statement.sources == ("transactions", "customers")
    assert "TABLE with_customer_attributes PARTITION BY `card_id`" in statement.inserts[0]
    # A customer's broken record is a dead letter, too.
    assert "'customers'" in statement.inserts[1]


def test_every_stage_has_a_uid_of_its_own() -> None:
    uids = re.findall(r"uid => '([^']*)'", plan("speed").script())
    assert uids == ["customer-attributes", "card-profile", "judgement"]


def test_only_columns_in_use_are_read(tmp_path: Path) -> None:
    rules = tmp_path / "own.toml"
    rules.write_text(
        """
        [ruleset]
        id = "own"
        combine = "sum"
        review_at = 1
        block_at = 2
        [[rule]]
        id = "by_channel"
        owner = "me"
        state = "active"
        weight = 1
        when = "channel = 'ecom' and kind = 'refund'"
        because = "a refund by {channel}"
        """
    )
    table = next(step for step in plan(str(rules)).setup if "TABLE `transactions`" in step)
    assert "`channel` STRING" in table
    assert "`kind` STRING" in table
    assert "`device_id`" not in table
    assert "`ip_country`" not in table


def test_topics_and_transactions_carry_the_prefix() -> None:
    script = plan("classic", topic_prefix="eu-").script()
    assert "'topic' = 'eu-transactions'" in script
    assert "'topic' = 'eu-decisions;eu-alerts'" in script
    assert "'sink.delivery-guarantee' = 'exactly-once'" in script
    prefixes = re.findall(r"'sink.transactional-id-prefix' = '([^']*)'", script)
    assert len(prefixes) == 2
    assert all(prefix.startswith("eu-") for prefix in prefixes)
    # The connector aborts what begins with its prefix: none may begin another.
    assert not any(a != b and a.startswith(b) for a in prefixes for b in prefixes)


@pytest.mark.parametrize(("text", "literal"), [("a", "'a'"), ("it's", "'it''s'"), ("", "''")])
def test_literals_are_quoted(text: str, literal: str) -> None:
    assert quote(text) == literal
