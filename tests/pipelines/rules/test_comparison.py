"""Which numbers of a condition an alert shows as observed value and limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from rule_files import FEATURES, HEAD, load, rule

from pipelines.expressions.parsing import parse_condition
from pipelines.expressions.rendering import render
from pipelines.rules.comparison import compared_sides

if TYPE_CHECKING:
    from pathlib import Path

NULL = "CAST(NULL AS DOUBLE)"
SPEED = 'COALESCE("customer_max_speed_kmh", 900.0e0)'


@pytest.mark.parametrize(
    ("when", "observed", "limit"),
    [
        ("base_amount > 200", '"base_amount"', "200.0e0"),
        ("200 < base_amount", '"base_amount"', "200.0e0"),
        ("channel = 'atm' and card_count_1h >= 3", '"card_count_1h"', "3.0e0"),
        ("latitude > 50 and amount > 10", '"amount"', "10.0e0"),
        ("1 < 2 and travel_km > 50", '"travel_km"', "50.0e0"),
        ("not (travel_km <= 50)", '"travel_km"', "50.0e0"),
        ("card_count_1h between 3 and 5", '"card_count_1h"', "3.0e0"),
        ("travel_kmh > coalesce(customer_max_speed_kmh, 900)", '"travel_kmh"', SPEED),
        ("coalesce(customer_max_speed_kmh, 900) < travel_kmh", '"travel_kmh"', SPEED),
        ("customer_max_speed_kmh > 2000", '"customer_max_speed_kmh"', "2000.0e0"),
        ("base_amount > card_mean_30d", '"base_amount"', '"card_mean_30d"'),
        (
            "base_amount / card_mean_30d > 4",
            '("base_amount" / NULLIF("card_mean_30d", 0e0))',
            "4.0e0",
        ),
        ("channel = 'atm'", NULL, NULL),
        ("card_new_device is null", NULL, NULL),
        ("card_count_1h in (3, 4)", NULL, NULL),
        ("latitude > 50", NULL, NULL),
    ],
)
def test_first_comparison_of_something_measured_is_shown(
    when: str, observed: str, limit: str
) -> None:
    columns = FEATURES.columns()
    sides = compared_sides(parse_condition(when, columns), columns)
    assert [render(side, "duckdb") for side in sides] == [observed, limit]


def test_explicit_keys_override_what_was_found(tmp_path: Path) -> None:
    more = 'observed = "card_sum_1h"\nlimit = "4 * card_mean_30d"\n'
    (found,) = load(tmp_path, HEAD + rule(more=more)).rules
    assert render(found.observed, "flink") == "`card_sum_1h`"
    assert render(found.limit, "flink") == "(4.0e0 * `card_mean_30d`)"
