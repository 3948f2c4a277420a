"""The examples of a rule file, tried: a rule that misses one does not say what is meant."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from pipelines.columns import transaction_columns
from pipelines.expressions.interpret import Row, fires

if TYPE_CHECKING:
    from pipelines.rules.ruleset import Example, Rule, Ruleset


def failing_examples(ruleset: Ruleset) -> tuple[tuple[Rule, Example], ...]:
    """The examples that do not hold, with their rules; drafts are tried like all others."""
    return tuple(
        (rule, example)
        for rule in ruleset.rules
        for example in rule.examples
        if fires(rule.condition, example_row(rule, example)) is not example.fires
    )


def explain_failure(file: str, rule: Rule, example: Example) -> str:
    """What is wrong, with file and line."""
    said = "does not fire" if example.fires else "fires"
    given = json.dumps(example.given, ensure_ascii=False)
    return f"{file} line {example.line}: rule {rule.id} {said} on its example {given}"


def example_row(rule: Rule, example: Example) -> Row:
    """A value for each column of the rule: as given, its default, or NULL."""
    defaults = {column.name: column.default for column in transaction_columns()}
    return {name: example.given.get(name, defaults.get(name)) for name in rule.columns}
