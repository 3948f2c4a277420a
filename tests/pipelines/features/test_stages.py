"""The stages and plans for what a rule set uses."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.columns import transaction_columns
from pipelines.errors import FeaturesError
from pipelines.expressions.parsing import parse_expression
from pipelines.features import load_features
from pipelines.features.stage import Filter

FEATURES = load_features()
COLUMNS = {column.name: column for column in transaction_columns()}
STATE_NAMES = {item.name: item.state_name for item in FEATURES.filters}
TRAVEL = '"filter":-1,"category":-1,"exclude_current":false}'


def test_only_what_is_named_is_planned_customer_before_card() -> None:
    names = {"travel_kmh", "card_sum_1h", "customer_max_speed_kmh", "base_amount"}
    customer, card = FEATURES.select(names)
    assert customer.entity == "customer"
    assert [item.name for item in customer.features] == ["customer_max_speed_kmh"]
    assert card.entity == "card"
    # In the order of the declaration, whatever the order of the names.
    # Travel brings where it began.
    ends = ["travel_from_latitude", "travel_from_longitude"]
    assert [item.name for item in card.features] == ["card_sum_1h", "travel_kmh", *ends]
    assert [item.name for item in card.filters] == ["spending", "card_present"]


def test_plans_are_the_literals_that_the_kernel_reads() -> None:
    customer, card = FEATURES.select(
        [
            "customer_max_speed_kmh",
            "card_count_10s",
            "card_mean_30d",
            "card_new_device",
            "card_distinct_merchants_1h",
            "travel_km",
        ]
    )
    assert customer.plan_json() == (
        '{"version":2,"entity":"customer","key":"customer_id","attributes":'
        '[{"name":"customer_max_speed_kmh","field":"max_speed_kmh"}]}'
    )
    assert card.plan_json() == (
        '{"version":2,"entity":"card","key":"card_id","first_feature":1,"numbering":false,"forget_after_ms":15552000000,"horizon_ms":2592000000,'
        f'"filters":[{{"name":"{STATE_NAMES["spending"]}","position":0}},'
        f'{{"name":"{STATE_NAMES["card_present"]}","position":1}}],'
        '"categories":[{"name":"merchant_id","position":0},{"name":"device_id","position":1}],'
        '"place_filter":1,"features":['
        '{"name":"card_count_10s","aggregate":"count","window_ms":10000,'
        '"filter":-1,"category":-1,"exclude_current":false},'
        '{"name":"card_mean_30d","aggregate":"mean","window_ms":2592000000,'
        '"filter":0,"category":-1,"exclude_current":true},'
        '{"name":"card_distinct_merchants_1h","aggregate":"distinct","window_ms":3600000,'
        '"filter":-1,"category":0,"exclude_current":false},'
        '{"name":"card_new_device","aggregate":"first_seen","window_ms":0,'
        '"filter":-1,"category":1,"exclude_current":false},'
        '{"name":"travel_km","aggregate":"travel_km","window_ms":0,' + TRAVEL + ","
        '{"name":"travel_from_latitude","aggregate":"travel_from_latitude","window_ms":0,'
        + TRAVEL
        + ","
        '{"name":"travel_from_longitude","aggregate":"travel_from_longitude","window_ms":0,'
        + TRAVEL
        + "]}"
    )


def test_a_filter_with_another_condition_is_another_one_to_the_state() -> None:
    first, second = (
        Filter(name="spending", condition=parse_expression(text, COLUMNS))
        for text in ("amount > 1", "amount > 2")
    )
    again = Filter(name="spending", condition=first.condition)
    assert first.state_name == again.state_name != second.state_name
    assert first.state_name.startswith("spending@")


def test_more_features_than_the_event_row_can_count_are_refused() -> None:
    many = tuple(replace(FEATURES.features[0], name=f"f{n}") for n in range(256))
    names = [feature.name for feature in many]
    crowded = replace(FEATURES, features=many)
    assert len(crowded.select(names[:255])[0].features) == 255
    with pytest.raises(FeaturesError, match="256 features are asked for - at most 255"):
        crowded.select(names)


def test_card_stage_is_there_without_features_and_knows_what_a_place_is() -> None:
    (card,) = FEATURES.select(["amount"])
    # Were places not told apart now, a rule set with travel would later start from a wrong one.
    assert card.plan_json() == (
        '{"version":2,"entity":"card","key":"card_id","first_feature":0,"numbering":false,"forget_after_ms":15552000000,"horizon_ms":0,'
        f'"filters":[{{"name":"{STATE_NAMES["card_present"]}","position":0}}],"categories":[],'
        '"place_filter":0,"features":[]}'
    )


def test_features_are_columns_that_say_where_they_come_from() -> None:
    columns = FEATURES.columns()
    assert columns["customer_max_speed_kmh"].origin == "attribute"
    assert columns["travel_kmh"].origin == "history"
    assert columns["base_amount"].origin == "transaction"
    assert {name: column.default for name, column in columns.items() if column.default} == {
        "kind": "purchase",
        "status": "approved",
    }


def test_stages_behind_the_card_come_in_a_fixed_order_and_have_its_records_numbered() -> None:
    stages = FEATURES.select(["ip_cards_1h", "merchant_small_cards_10m", "card_new_merchant"])
    assert [(stage.uid, stage.is_numbering) for stage in stages] == [
        ("card-profile", True),
        ("merchant-profile", False),
        ("ip-profile", False),
    ]
    # One event row for all: merchants of cards stand before the cards of merchants.
    assert {stage.all_categories for stage in stages} == {("merchant_id", "card_id")}


def test_without_them_nothing_is_numbered() -> None:
    assert not any(stage.is_numbering for stage in FEATURES.select(["card_new_merchant"]))
