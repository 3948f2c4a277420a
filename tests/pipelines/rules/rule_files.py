"""Rule files for tests, written as people write them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.features import load_features
from pipelines.rules import load_ruleset

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.rules import Ruleset

FEATURES = load_features()
HEAD = """[ruleset]
id = "mine"
combine = "noisy_or"
review_at = 0.5
block_at = 0.8
"""
RULE = """
[[rule]]
id = "{id}"
owner = "risk"
state = "{state}"
weight = {weight}
when = "{when}"
because = "{because}"
"""


def rule(
    id: str = "big",
    *,
    state: str = "active",
    weight: object = 0.5,
    when: str = "base_amount > 200",
    because: str = "{base_amount:.2f} spent",
    more: str = "",
) -> str:
    """One rule's text."""
    values = {"id": id, "state": state, "weight": weight, "when": when, "because": because}
    text = RULE
    for key, value in values.items():
        text = text.replace(f"{{{key}}}", str(value), 1)
    return text + more


def load(folder: Path, text: str) -> Ruleset:
    """The rule set in a file of this text."""
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return load_ruleset(path, FEATURES)
