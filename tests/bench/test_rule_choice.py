"""A part of a rule set: the rules whose features belong to the entities named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.rule_choice import write_choice
from pipelines.errors import RulesetError
from pipelines.features import load_features
from pipelines.rules import load_ruleset

if TYPE_CHECKING:
    from pathlib import Path

FEATURES = load_features()


def test_rules_of_other_entities_are_left_out_and_the_others_stay(tmp_path: Path) -> None:
    whole = {rule.id: rule for rule in load_ruleset("baseline", FEATURES).rules}
    chosen = load_ruleset(write_choice("baseline", ["card"], tmp_path), FEATURES)
    stages = FEATURES.select(chosen.columns)
    assert [(stage.entity, stage.is_attributes) for stage in stages] == [("card", False)]
    assert {"burst_1m", "unusual_time"} <= {rule.id for rule in chosen.rules}
    assert {"shared_device", "risky_merchant", "impossible_travel"}.isdisjoint(
        rule.id for rule in chosen.rules
    )
    assert all(rule.condition == whole[rule.id].condition for rule in chosen.rules)


def test_customers_come_with_their_attributes(tmp_path: Path) -> None:
    chosen = load_ruleset(write_choice("baseline", ["card", "customer"], tmp_path), FEATURES)
    assert "impossible_travel" in {rule.id for rule in chosen.rules}


@pytest.mark.parametrize(
    ("entities", "sentence"),
    [
        (["terminal"], "entity 'terminal' must be one of customer, card, merchant, device, ip"),
        (["ip"], "rule set speed has no rule that looks at ip alone"),
    ],
)
def test_what_cannot_be_chosen_is_said(tmp_path: Path, entities: list[str], sentence: str) -> None:
    with pytest.raises(RulesetError, match=sentence):
        write_choice("speed", entities, tmp_path)
