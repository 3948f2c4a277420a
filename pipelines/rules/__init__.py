"""Rules as data: TOML files of SQL predicates, checked here, compiled for stream and history."""

from pipelines.rules.compiling import CompiledRule, CompiledRuleset, compile_rules
from pipelines.rules.examples import example_row, explain_failure, failing_examples
from pipelines.rules.judging import Judgement, judge
from pipelines.rules.loading import find_ruleset, load_ruleset, read_ruleset, shipped_rulesets
from pipelines.rules.ruleset import Example, Rule, Ruleset

__all__ = [
    "CompiledRule",
    "CompiledRuleset",
    "Example",
    "Judgement",
    "Rule",
    "Ruleset",
    "compile_rules",
    "example_row",
    "explain_failure",
    "failing_examples",
    "find_ruleset",
    "judge",
    "load_ruleset",
    "read_ruleset",
    "shipped_rulesets",
]
