"""Which features may differ between two reads of one topic."""

from __future__ import annotations

from bench.faults import order_features
from pipelines.features import load_features


def test_what_a_card_has_done_never_depends_on_the_order_between_cards() -> None:
    own = {item.name for item in load_features().features if item.entity == "card"}
    assert "card_count_1m" in own
    assert own.isdisjoint(order_features(is_cold=True))


def test_a_customer_s_attributes_do_only_where_customers_are_read_beside_transactions() -> None:
    assert "customer_max_speed_kmh" in order_features(is_cold=True)
    assert "customer_max_speed_kmh" not in order_features(is_cold=False)
