"""Which features may differ between two reads of one topic."""

from __future__ import annotations

from bench.faults.run import order_features
from pipelines.features import load_features


def test_what_a_card_has_done_never_depends_on_the_order_between_cards() -> None:
    own = {item.name for item in load_features().features if item.entity == "card"}
    assert "card_count_1m" in own
    assert own.isdisjoint(order_features())


def test_what_is_known_of_a_customer_does_not_and_what_their_cards_did_does() -> None:
    assert "customer_max_speed_kmh" not in order_features()
    assert "customer_count_1h" in order_features()
