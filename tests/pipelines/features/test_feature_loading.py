"""The feature declaration: what it becomes, and that all its faults are told at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipelines.errors import FeaturesError
from pipelines.features import load_features

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """
version = 1
[filter]
spending = "kind <> 'refund' and status = 'approved'"
card_present = "channel in ('pos', 'atm')"
"""
GOOD = """
[[feature]]
name = "card_sum_{window}"
entity = "card"
aggregate = "sum"
filter = "spending"
exclude_current = true
windows = ["90s", "2h"]
about = "Money."
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "features.toml"
    path.write_text(text, encoding="utf-8")
    return path


def faults_of(folder: Path, text: str) -> list[str]:
    with pytest.raises(FeaturesError) as caught:
        load_features(write(folder, text))
    return [line.removeprefix("features.toml: ") for line in str(caught.value).splitlines()]


def test_each_window_makes_a_feature(tmp_path: Path) -> None:
    features = load_features(write(tmp_path, HEAD + GOOD)).features
    assert [(item.name, item.window_ms, item.kind) for item in features] == [
        ("card_sum_90s", 90_000, "money"),
        ("card_sum_2h", 7_200_000, "money"),
    ]
    assert {(item.filter, item.excludes_current) for item in features} == {("spending", True)}


def test_shipped_features_have_the_documented_names_and_kinds() -> None:
    kinds = {item.name: item.kind for item in load_features().features}
    assert kinds["card_count_10s"] == "count"
    assert kinds["card_sum_1h"] == "money"
    assert kinds["card_max_30d"] == "money"
    assert kinds["card_mean_30d"] == "number"
    assert kinds["card_stddev_30d"] == "number"
    assert kinds["card_distinct_merchants_24h"] == "count"
    assert kinds["card_new_device"] == "count"
    assert kinds["travel_kmh"] == "number"
    assert kinds["customer_max_speed_kmh"] == "number"


NORMS = ("mean", "stddev", "max", "p95", "category_mean", "fraud_share", "fraud_count")
NORMS += ("robust_z", "time_of_day_share")


def test_money_features_count_what_was_spent_and_norms_leave_the_current_out() -> None:
    for item in load_features().features:
        if item.aggregate in ("sum", "mean", "stddev", "max"):
            assert item.filter in ("spending", "cash"), item.name
        # What a transaction is held against must not contain it.
        is_norm = item.aggregate in NORMS or "purchases" in item.name
        assert item.excludes_current is is_norm, item.name


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    text = """
version = 2
[filters]
x = "amount > 1"
[filter]
broken = "amout > 1"
spending = "amount > 1"
[[feature]]
name = "card_a"
entity = "card"
aggregate = "median"
about = "A."
[[feature]]
name = "card_b_{window}"
entity = "terminal"
aggregate = "sum"
filter = "spendin"
windows = ["1w", "100d"]
about = "B."
[[feature]]
name = "device_new"
entity = "card"
aggregate = "first_seen"
filter = "broken"
category = "merchant"
[[feature]]
name = "card_c"
entity = "card"
aggregate = "count"
windows = ["1h"]
about = "C."
[[feature]]
name = "card_d"
entity = "card"
aggregate = "travel_km"
about = "D."
"""
    assert faults_of(tmp_path, text) == [
        "version=2 must be 1",
        "unknown section filters; allowed: version, filter, feature",
        "filter broken unknown column amout - did you mean amount?",
        "feature card_a: aggregate='median' must be one of count, sum, mean, stddev, min, max, "
        "rate, distinct, p95, robust_z, time_of_day_share, category_mean, fraud_share, "
        "fraud_count, first_seen, travel_km, travel_gap_min, travel_kmh, travel_from_latitude, "
        "travel_from_longitude, since_last_min, attribute - did you mean mean?",
        "feature card_b_{window}: entity='terminal' must be card or customer or merchant or "
        "device or ip for sum",
        "feature card_b_{window}: filter='spendin' must be one of broken, spending"
        " - did you mean spending?",
        "feature card_b_{window}: window '1w' must be like 10s, 5m, 24h or 30d, and at most 90d",
        "feature card_b_{window}: window '100d' must be like 10s, 5m, 24h or 30d, and at most 90d",
        "feature device_new: filter means nothing to first_seen; "
        "allowed: name, entity, aggregate, about, category",
        "feature device_new: about is missing; say in a sentence what it means",
        "feature device_new: category='merchant' must be one of card_id, country, "
        "customer_id, device_id, ip_address, merchant_category, merchant_id - did you "
        "mean merchant_id?",
        "feature device_new: name='device_new' must begin with its entity (card_, customer_, "
        "merchant_, device_, ip_; or travel_), then small letters, digits and _",
        "feature card_c: name must contain {window}, which stands for each of the windows",
        "feature card_d: place is missing; travel_km needs it",
    ]


def test_names_are_unique_and_no_columns_of_the_transaction(tmp_path: Path) -> None:
    text = (
        HEAD
        + GOOD
        + GOOD
        + """
[[feature]]
name = "card_id"
entity = "card"
aggregate = "first_seen"
category = "device_id"
about = "A."
"""
    )
    assert faults_of(tmp_path, text) == [
        "feature card_sum_90s is declared twice",
        "feature card_sum_2h is declared twice",
        "feature card_id has the name of a transaction's own column",
    ]


def test_travel_features_agree_on_what_a_place_is(tmp_path: Path) -> None:
    text = HEAD + "".join(
        f'[[feature]]\nname = "{name}"\nentity = "card"\naggregate = "{name}"\n'
        f'place = "{place}"\nabout = "A."\n'
        for name, place in (("travel_km", "card_present"), ("travel_kmh", "spending"))
    )
    assert faults_of(tmp_path, text) == [
        "travel features must agree on one place, not card_present, spending"
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version = ", "cannot be read"),
        ("version = 1", "features are missing"),
        ("version = 1\nfilter = 3\n", "filter must be a section"),
        ("version = 1\n[feature]\nname = 'card_a'", "write [[feature]] above each"),
    ],
)
def test_file_of_another_shape_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert any(message in fault for fault in faults_of(tmp_path, text))


@pytest.mark.parametrize(
    ("written", "shown"), [("[]", "[]"), ("{ a = 1 }", "{'a': 1}"), ("1", "1")]
)
def test_a_filter_that_is_no_name_is_a_fault_like_any_other(
    tmp_path: Path, written: str, shown: str
) -> None:
    """A list there once ended in a traceback."""
    text = HEAD + GOOD.replace('"spending"', written)
    assert faults_of(tmp_path, text) == [
        f"feature card_sum_{{window}}: filter={shown} must be one of card_present, spending"
    ]


def test_options_of_labels_are_checked(tmp_path: Path) -> None:
    text = """
[[feature]]
name = "card_fraud_share_{window}"
entity = "card"
aggregate = "fraud_share"
windows = ["30d"]
delay = "7d"
prior = 0.01
prior_weight = 2
about = "A."
[[feature]]
name = "merchant_fraud_share_{window}"
entity = "merchant"
aggregate = "fraud_share"
windows = ["12h", "7d"]
delay = "1h"
prior = 2
prior_weight = 0
about = "B."
[[feature]]
name = "merchant_frauds_{window}"
entity = "merchant"
aggregate = "fraud_count"
windows = ["7d"]
delay = "91d"
prior = 0.1
about = "C."
[[feature]]
name = "merchant_count_{window}"
entity = "merchant"
aggregate = "count"
windows = ["7d"]
delay = "1d"
about = "D."
"""
    assert faults_of(tmp_path, f"version = 1\n{text}") == [
        "feature card_fraud_share_{window}: entity='card' must be merchant or device for "
        "fraud_share",
        "feature merchant_fraud_share_{window}: delay='1h' must be whole days such as 7d, from 0d "
        "to 90d",
        "feature merchant_fraud_share_{window}: window '12h' must be whole days such as 30d, for "
        "labels are counted by the day",
        "feature merchant_fraud_share_{window}: prior=2 must be a share from 0 to 1: that of fraud "
        "in general",
        "feature merchant_fraud_share_{window}: prior_weight=0 must be above 0: the transactions "
        "it stands for",
        "feature merchant_frauds_{window}: prior means nothing to fraud_count; allowed: name, "
        "entity, aggregate, about, windows, delay",
        "feature merchant_frauds_{window}: delay='91d' must be whole days such as 7d, from 0d to "
        "90d",
        "feature merchant_count_{window}: delay means nothing to count; allowed: name, entity, "
        "aggregate, about, windows, filter, exclude_current",
    ]
