"""A rule set as data, versioned by its meaning."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipelines.expressions.tree import Node, columns_of

if TYPE_CHECKING:
    from pipelines.rules.sentences import Sentence

State = Literal["draft", "shadow", "active", "paused"]
Combine = Literal["noisy_or", "sum"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A row, with NULL for every column it does not name, and whether the rule fires on it."""

    given: dict[str, float | str]
    fires: bool
    line: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. ``observed`` and ``limit`` are what its comparison held against what."""

    id: str
    owner: str
    description: str
    state: State
    weight: float
    when: str
    because: str
    condition: Node
    sentence: Sentence
    observed: Node
    limit: Node
    examples: tuple[Example, ...]

    @property
    def columns(self) -> frozenset[str]:
        """Every column the rule looks at or shows."""
        return (
            columns_of(self.condition)
            | self.sentence.columns
            | columns_of(self.observed)
            | columns_of(self.limit)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruleset:
    """Rules, how their weights make a score, and where the bands begin."""

    id: str
    description: str
    combine: Combine
    review_at: float
    block_at: float
    rules: tuple[Rule, ...]
    feature_meaning: str = ""
    """What the features that evaluated rules look at are, as text: another window, another meaning.
    """

    @property
    def evaluated(self) -> tuple[Rule, ...]:
        """The rules the stream computes: the active ones, and the shadow ones beside them."""
        return tuple(rule for rule in self.rules if rule.state in ("active", "shadow"))

    @property
    def columns(self) -> frozenset[str]:
        """Every column that an evaluated rule needs."""
        return frozenset().union(*(rule.columns for rule in self.evaluated))

    @property
    def version(self) -> str:
        """``id@hash``: equal for files that mean the same, whatever their layout and comments."""
        meaning = {
            "combine": self.combine,
            "review_at": self.review_at,
            "block_at": self.block_at,
            "features": self.feature_meaning,
            "rules": [
                [
                    rule.id,
                    rule.state,
                    rule.weight,
                    repr(rule.condition),
                    repr(rule.sentence),
                    repr(rule.observed),
                    repr(rule.limit),
                ]
                for rule in self.rules
            ],
        }
        text = json.dumps(meaning, sort_keys=True)
        return f"{self.id}@{hashlib.sha256(text.encode()).hexdigest()[:12]}"
