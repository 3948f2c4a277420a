"""Decisions to fill a lakehouse with: real transactions, and features drawn for each.

The bytes are laid out as the job writes them, with every feature that a rule set computes; only
their values are drawn instead of computed, so that millions can be made in minutes.
"""

from __future__ import annotations

import json
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

from pipelines.contracts.decision import Decision, Source, encode_decision
from pipelines.features import load_features
from pipelines.generator import GeneratorOptions, generate
from pipelines.ids import decision_id
from pipelines.rules import load_ruleset

if TYPE_CHECKING:
    from collections.abc import Iterator

RULESET = "baseline"
TOPIC = "transactions"
START_MS = 1_772_323_200_000  # 2026-03-01T00:00:00Z
UNKNOWN = 0.15
"""The share of features that are NULL: of a first use, of a missing device."""
FLAGGED = 0.02


def make_decisions(count: int, *, cards: int, seed: int) -> Iterator[bytes]:
    """``count`` decisions on the generator's transactions, in the order of time."""
    for decision in draw_decisions(count, cards=cards, seed=seed):
        yield encode_decision(decision)


def draw_decisions(count: int, *, cards: int, seed: int) -> Iterator[Decision]:
    """The same, not yet encoded."""
    declared = load_features()
    ruleset = load_ruleset(RULESET, declared)
    stages = declared.select(ruleset.columns)
    names = [one.name for stage in stages for one in stage.features]
    rules = [rule.id for rule in ruleset.evaluated]
    version = ruleset.version
    rng = Random(f"{seed}/features")
    options = GeneratorOptions(seed=seed, start_ms=START_MS, cards=cards, count=count)
    offset = 0
    for emission in generate(options):
        if emission.kind != "transaction" or emission.value is None:
            continue
        transaction = json.loads(emission.value)
        is_flagged = rng.random() < FLAGGED
        yield Decision(
            decision_id=decision_id(topic=TOPIC, partition=0, offset=offset),
            transaction=emission.value,
            base_amount=Decimal(str(transaction["amount"])).quantize(Decimal("0.01")),
            base_currency="EUR",
            features={name: _draw(rng) for name in names},
            score=0.62 if is_flagged else 0.05,
            band="review" if is_flagged else "allow",
            rules_fired=tuple(rng.sample(rules, 2)) if is_flagged else (),
            ruleset=version,
            model=None,
            is_late=False,
            is_duplicate=False,
            duplicate_of_offset=None,
            previous_transaction_id=None,
            source=Source(topic=TOPIC, partition=0, offset=offset),
            decided_at_ms=emission.at_ms + 700,
            alert_id=None,
        )
        offset += 1


def _draw(rng: Random) -> float | None:
    """A count, an amount, a share, or nothing."""
    kind = rng.random()
    if kind < UNKNOWN:
        return None
    if kind < 0.6:
        return float(rng.randrange(40))
    return round(rng.uniform(0, 500), 2) if kind < 0.9 else rng.random()
