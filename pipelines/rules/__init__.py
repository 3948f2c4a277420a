"""Rules as data: TOML files of SQL predicates, checked here, compiled for stream and history."""

from pipelines.rules.compiling import CompiledRule, CompiledRuleset, compile_rules
from pipelines.rules.loading import load_ruleset, shipped_rulesets
from pipelines.rules.ruleset import Example, Rule, Ruleset

__all__ = [
    "CompiledRule",
    "CompiledRuleset",
    "Example",
    "Rule",
    "Ruleset",
    "compile_rules",
    "load_ruleset",
    "shipped_rulesets",
]
