"""The version of a rule set: a hash of what it means, and of nothing else."""

from __future__ import annotations

import dataclasses
import re
from typing import TYPE_CHECKING

import pytest
from rule_files import FEATURES, HEAD, load, rule

from pipelines.features import Filter
from pipelines.rules import load_ruleset, shipped_rulesets

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.features import Features

TEXT = HEAD + rule("big") + rule("fast", when="card_count_10s >= 3 and travel_km > 5")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[ruleset]", "# Why these rules.\n\n[ruleset]"),
        ('owner = "risk"\n', 'owner = "fraud-team"\n'),
        ('owner = "risk"\n', 'owner = "risk"\ndescription = "What for."\n'),
        ('combine = "noisy_or"\nreview_at = 0.5\n', 'review_at = 0.50\ncombine = "noisy_or"\n'),
        ("base_amount > 200", "BASE_AMOUNT   >  200.00"),
        ("base_amount > 200", "(base_amount) > 2 * 100 -- limit"),
        ("weight = 0.5", "weight = 5e-1"),
        ("card_count_10s >= 3 and travel_km > 5", "(card_count_10s>=3) AND (travel_km>5)"),
        (
            'because = "{base_amount:.2f} spent"\n',
            'because = "{base_amount:.2f} spent"\n[[rule.example]]\ngiven = {}\nfires = false\n',
        ),
    ],
)
def test_layout_does_not_change_the_version(tmp_path: Path, old: str, new: str) -> None:
    assert old in TEXT
    assert load(tmp_path, TEXT.replace(old, new)).version == load(tmp_path, TEXT).version


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('id = "mine"', 'id = "yours"'),
        ('combine = "noisy_or"', 'combine = "sum"'),
        ("review_at = 0.5", "review_at = 0.51"),
        ("block_at = 0.8", "block_at = 0.81"),
        ('id = "big"', 'id = "large"'),
        ('state = "active"', 'state = "shadow"'),
        ("weight = 0.5", "weight = 0.51"),
        ("base_amount > 200", "base_amount >= 200"),
        ("base_amount > 200", "amount > 200"),
        ("{base_amount:.2f} spent", "{base_amount:.1f} spent"),
        ("{base_amount:.2f} spent", "{base_amount:.2f}  spent"),
        ('owner = "risk"\n', 'owner = "risk"\nlimit = "100"\n'),
        ('owner = "risk"\n', 'owner = "risk"\nobserved = "amount"\n'),
    ],
)
def test_meaning_changes_the_version(tmp_path: Path, old: str, new: str) -> None:
    assert old in TEXT
    assert load(tmp_path, TEXT.replace(old, new, 1)).version != load(tmp_path, TEXT).version


def changed(feature: str, **changes: object) -> Features:
    features = tuple(
        dataclasses.replace(item, **changes) if item.name == feature else item  # type: ignore[arg-type]
        for item in FEATURES.features
    )
    return dataclasses.replace(FEATURES, features=features)


def test_a_feature_with_another_meaning_gives_rules_on_it_another_version(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_text(TEXT)
    version = load_ruleset(str(file), FEATURES).version
    for features, is_same in (
        (changed("card_count_10s", window_ms=11_000), False),
        (changed("card_count_10s", excludes_current=True), False),
        (changed("card_count_10s", about="in other words"), True),
        (changed("card_count_1h", window_ms=11_000), True),  # no rule looks at it
        (dataclasses.replace(FEATURES, filters=filters_turned()), False),
    ):
        assert (load_ruleset(str(file), features).version == version) is is_same


def filters_turned() -> tuple[Filter, ...]:
    """Under each name, the condition of another filter."""
    names = [item.name for item in FEATURES.filters]
    conditions = [item.condition for item in FEATURES.filters]
    turned = [*conditions[1:], conditions[0]]
    return tuple(
        Filter(name=name, condition=condition)
        for name, condition in zip(names, turned, strict=True)
    )


def test_order_of_rules_is_the_order_of_reasons_and_so_part_of_the_meaning(tmp_path: Path) -> None:
    turned = HEAD + rule("fast", when="card_count_10s >= 3 and travel_km > 5") + rule("big")
    assert load(tmp_path, turned).version != load(tmp_path, TEXT).version


def test_version_is_the_id_and_twelve_digits(tmp_path: Path) -> None:
    assert re.fullmatch("mine@[0-9a-f]{12}", load(tmp_path, TEXT).version)


def test_versions_of_shipped_rule_sets_stand() -> None:
    """A change is seen by everybody who runs them: only with a change of rules or features."""
    versions = {name: load_ruleset(name, FEATURES).version for name in shipped_rulesets()}
    assert versions == {
        "baseline": "baseline@aa560fe7e1c4",
        "classic": "classic@8d6d5b3ca072",
        "speed": "speed@f61109ecb310",
    }
