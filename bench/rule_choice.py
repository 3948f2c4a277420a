"""A part of a rule set, so that a benchmark can leave out what needs more stages."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING, get_args

from pipelines.errors import RulesetError
from pipelines.features import Entity, load_features
from pipelines.rules import find_ruleset, load_ruleset

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

_RULE = re.compile(r"(?m)^(?=\[\[rule\]\])")


def write_choice(ruleset: str, entities: Collection[str], folder: Path) -> Path:
    """A file in ``folder`` with the rules that look at the histories of these entities alone.

    The attributes of customers count as the customer's. RulesetError where no rule is left.
    """
    unknown = sorted(set(entities) - set(get_args(Entity)))
    if unknown:
        msg = f"entity {unknown[0]!r} must be one of {', '.join(get_args(Entity))}"
        raise RulesetError(msg)
    features = load_features()
    left_out = {item.name for item in features.features if item.entity not in entities}
    kept = {
        rule.id
        for rule in load_ruleset(ruleset, features).rules
        if left_out.isdisjoint(rule.columns)
    }
    if not kept:
        msg = f"rule set {ruleset} has no rule that looks at {', '.join(entities)} alone"
        raise RulesetError(msg)
    head, *rules = _RULE.split(find_ruleset(ruleset).read_text(encoding="utf-8"))
    chosen = [text for text in rules if tomllib.loads(text)["rule"][0]["id"] in kept]
    path = folder / "chosen.toml"
    path.write_text(head + "".join(chosen), encoding="utf-8")
    return path
