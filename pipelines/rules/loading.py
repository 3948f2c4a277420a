"""Reading a rule file: every fault found, each with its line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

from pipelines.columns import Column
from pipelines.errors import RulesetError
from pipelines.expressions import tree
from pipelines.expressions.parsing import (
    ExpressionFault,
    did_you_mean,
    parse_condition,
    parse_number,
)
from pipelines.expressions.tree import Node
from pipelines.features import Features
from pipelines.rules.ruleset import Combine, Example, Rule, Ruleset, State
from pipelines.rules.sentences import Sentence, parse_sentence

SHIPPED = Path(__file__).parent.parent / "rulesets"
_ID = re.compile(r"[a-z][a-z0-9_]*")
_RULESET_KEYS = ("id", "combine", "review_at", "block_at", "description")
_RULE_KEYS = (
    "id",
    "owner",
    "state",
    "weight",
    "when",
    "because",
    "observed",
    "limit",
    "description",
    "example",
)
_Parsed = TypeVar("_Parsed")


def shipped_rulesets() -> dict[str, Path]:
    """The rule sets that come with the product, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}


def load_ruleset(name: str, features: Features) -> Ruleset:
    """A shipped rule set by name, or the file at a path; RulesetError lists every fault."""
    path = shipped_rulesets().get(name, Path(name))
    if not path.is_file():
        shipped = ", ".join(shipped_rulesets())
        hint = did_you_mean(name, shipped_rulesets())
        msg = f"no rule set {name!r}{hint} (shipped: {shipped}; or the path of a file)"
        raise RulesetError(msg)
    return _Reader(path, features.columns()).read()


class _Reader:
    """Reads one file and gathers its faults."""

    def __init__(self, path: Path, columns: Mapping[str, Column]) -> None:
        self._path = path
        self._text = path.read_text(encoding="utf-8")
        self._columns = columns
        self._faults: list[tuple[int, str]] = []

    def read(self) -> Ruleset:
        try:
            content = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            msg = f"{self._path.name} is not TOML: {error}"
            raise RulesetError(msg) from error
        ruleset = self._ruleset(content)
        if self._faults:
            lines = [
                f"{self._path.name} line {line}: {fault}" for line, fault in sorted(self._faults)
            ]
            raise RulesetError("\n".join(lines))
        return ruleset

    def _ruleset(self, content: dict[str, Any]) -> Ruleset:
        for key in content.keys() - {"ruleset", "rule"}:
            self._fault(self._line_of(key), f"unknown section {key!r}; allowed: ruleset, rule")
        head = content.get("ruleset", {})
        line = self._line_of("[ruleset]")
        self._check_keys(head, _RULESET_KEYS, line)
        combine = self._choice(head, "combine", get_args(Combine), line)
        review_at = self._number(head, "review_at", line)
        block_at = self._number(head, "block_at", line)
        if not 0 < review_at <= block_at:
            self._fault(line, f"review_at={review_at} must be above 0 and at most {block_at=}")
        if combine == "noisy_or" and block_at > 1:
            self._fault(line, f"block_at={block_at}: with noisy_or no score is above 1")
        rules = content.get("rule", [])
        if not rules:
            self._fault(line, "a rule set needs at least one [[rule]]")
        starts = self._line_numbers(r"\[\[\s*rule\s*\]\]")
        read = tuple(
            self._rule(rule, combine, start) for rule, start in zip(rules, starts, strict=False)
        )
        self._check_unique(read, starts)
        return Ruleset(
            id=self._id(head, line),
            combine=cast("Combine", combine),
            review_at=review_at,
            block_at=block_at,
            rules=read,
        )

    def _rule(self, rule: dict[str, Any], combine: str, line: int) -> Rule:
        self._check_keys(rule, _RULE_KEYS, line)
        weight = self._number(rule, "weight", line)
        if weight <= 0 or (combine == "noisy_or" and weight > 1):
            allowed = "above 0 and at most 1" if combine == "noisy_or" else "above 0"
            self._fault(self._line_of("weight", line), f"weight={weight} must be {allowed}")
        when, because = self._text_of(rule, "when", line), self._text_of(rule, "because", line)
        unknown = tree.Boolean(value=False)
        condition = self._parsed(parse_condition, when, "when", line, unknown)
        observed, limit = compared_sides(condition)
        if "observed" in rule:
            observed = self._parsed(parse_number, str(rule["observed"]), "observed", line, unknown)
        if "limit" in rule:
            limit = self._parsed(parse_number, str(rule["limit"]), "limit", line, unknown)
        return Rule(
            id=self._id(rule, line),
            owner=self._text_of(rule, "owner", line),
            state=cast("State", self._choice(rule, "state", get_args(State), line)),
            weight=weight,
            when=when,
            because=because,
            condition=condition,
            sentence=self._parsed(parse_sentence, because, "because", line, Sentence(())),
            observed=observed,
            limit=limit,
            examples=tuple(self._example(example, line) for example in rule.get("example", [])),
        )

    def _example(self, example: dict[str, Any], line: int) -> Example:
        self._check_keys(example, ("given", "fires"), line)
        given = example.get("given", {})
        for name in given:
            if name not in self._columns:
                hint = did_you_mean(name, self._columns)
                self._fault(line, f"example gives unknown column {name}{hint}")
        fires = example.get("fires")
        if not isinstance(fires, bool):
            self._fault(line, "an example needs fires = true or false")
        return Example(given=given, fires=bool(fires))

    def _parsed(
        self,
        parse: Callable[[str, Mapping[str, Column]], _Parsed],
        text: str,
        key: str,
        line: int,
        otherwise: _Parsed,
    ) -> _Parsed:
        if text == "":
            return otherwise
        try:
            return parse(text, self._columns)
        except ExpressionFault as fault:
            self._fault(self._line_of(key, line), f"{key} {fault}")
            return otherwise

    def _id(self, table: dict[str, Any], line: int) -> str:
        name = self._text_of(table, "id", line)
        if name and not _ID.fullmatch(name):
            self._fault(line, f"id={name!r} must be small letters, digits and _, a letter first")
        return name

    def _check_unique(self, rules: tuple[Rule, ...], starts: list[int]) -> None:
        seen: dict[str, int] = {}
        for rule, line in zip(rules, starts, strict=False):
            if rule.id in seen:
                self._fault(line, f"rule {rule.id} stands in line {seen[rule.id]} already")
            seen.setdefault(rule.id, line)

    def _check_keys(self, table: dict[str, Any], known: tuple[str, ...], line: int) -> None:
        for key in table:
            if key not in known:
                hint = did_you_mean(key, known) or f"; allowed: {', '.join(known)}"
                self._fault(self._line_of(key, line), f"unknown key {key}{hint}")

    def _choice(self, table: dict[str, Any], key: str, allowed: tuple[str, ...], line: int) -> str:
        value = self._text_of(table, key, line)
        if value and value not in allowed:
            hint = did_you_mean(value, allowed)
            self._fault(
                self._line_of(key, line), f"{key}={value!r} must be {', '.join(allowed)}{hint}"
            )
        return value

    def _text_of(self, table: dict[str, Any], key: str, line: int) -> str:
        value = table.get(key)
        if not isinstance(value, str) or value == "":
            self._fault(line, f"{key} is missing; it must be text")
            return ""
        return value

    def _number(self, table: dict[str, Any], key: str, line: int) -> float:
        value = table.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self._fault(line, f"{key} is missing; it must be a number")
            return 1.0
        return float(value)

    def _fault(self, line: int, message: str) -> None:
        self._faults.append((line, message))

    def _line_of(self, key: str, start: int = 1) -> int:
        """The line that sets a key, from ``start`` on; ``start`` itself where none does."""
        pattern = re.escape(key) if key.startswith("[") else rf"{re.escape(key)}\s*="
        found = [line for line in self._line_numbers(pattern) if line >= start]
        return found[0] if found else start

    def _line_numbers(self, pattern: str) -> list[int]:
        lines = self._text.splitlines()
        return [at for at, line in enumerate(lines, 1) if re.match(rf"\s*{pattern}", line)]


def compared_sides(condition: Node) -> tuple[Node, Node]:
    """What the first comparison of a condition holds against what: observed, and limit.

    The observed side is the one with a column; both are NULL where no numbers are compared.
    """
    for node in _walk(condition):
        if isinstance(node, tree.Compare) and tree.type_of(node.left) == "number":
            left, right = node.left, node.right
            return (left, right) if tree.columns_of(left) else (right, left)
    return tree.Null(), tree.Null()


def _walk(node: Node) -> list[Node]:
    """The node and all below it, from left to right."""
    return [node, *(deeper for child in tree.children(node) for deeper in _walk(child))]
