"""Reading a rule file: every fault found, each with its line."""

from __future__ import annotations

import json
import math
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

from pipelines.errors import RulesetError
from pipelines.expressions.faults import ExpressionFault
from pipelines.expressions.parsing import parse_condition, parse_number
from pipelines.expressions.tree import Boolean, Node
from pipelines.hints import nearest
from pipelines.rules.comparison import compared_sides
from pipelines.rules.ruleset import Combine, Example, Rule, Ruleset, State
from pipelines.rules.sections import Section, find_sections, rule_sections
from pipelines.rules.sentences import Sentence, parse_sentence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pipelines.columns import Column
    from pipelines.features import Features

SHIPPED = Path(__file__).parent.parent / "rulesets"
MOST_WEIGHT = 1e6
DECIMALS = 9
"""So many decimals of a weight or a threshold count, as many as a score has."""

_ID = re.compile(r"[a-z][a-z0-9_]{0,63}")
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
_NEVER: Node = Boolean(value=False)
_Parsed = TypeVar("_Parsed")


def shipped_rulesets() -> dict[str, Path]:
    """The rule sets that come with the product, by name."""
    return {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}


def load_ruleset(name: str | Path, features: Features) -> Ruleset:
    """A shipped rule set by name, or the file at a path; RulesetError lists every fault."""
    return read_ruleset(find_ruleset(name), features)


def find_ruleset(name: str | Path) -> Path:
    """The file of a shipped rule set, or the path itself; RulesetError if there is no such file."""
    shipped = shipped_rulesets()
    path = shipped.get(str(name), Path(name))
    if not path.is_file():
        if path.suffix == ".toml":
            hint = nearest(path.stem, shipped)
            msg = f"no such rule file: {path}{hint} (shipped rule sets: {', '.join(shipped)})"
            raise RulesetError(msg)
        hint = nearest(str(name), shipped)
        msg = f"no rule set {str(name)!r}{hint} (shipped: {', '.join(shipped)}; or a file's path)"
        raise RulesetError(msg)
    return path


def read_ruleset(path: Path, features: Features) -> Ruleset:
    """The rule set in a file; RulesetError lists every fault, one in a line."""
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        msg = f"{path.name} is not TOML that can be read: {error}"
        raise RulesetError(msg) from error
    reader = _Reader(find_sections(text), features.columns())
    ruleset = reader.read(content)
    if reader.faults:
        lines = [f"{path.name} line {line}: {fault}" for line, fault in sorted(reader.faults)]
        raise RulesetError("\n".join(dict.fromkeys(lines)))
    names = ruleset.columns
    meaning = [stage.meaning(names) for stage in features.select(names) if stage.features]
    return replace(ruleset, feature_meaning=json.dumps(meaning))


class _Reader:
    """Reads one file's content and gathers its faults with their lines."""

    def __init__(self, sections: list[Section], columns: Mapping[str, Column]) -> None:
        self._sections = sections
        self._columns = columns
        self.faults: list[tuple[int, str]] = []

    def read(self, content: dict[str, Any]) -> Ruleset:
        """What could be read; worth nothing when there are faults."""
        head = next((s for s in self._sections if s.name == "ruleset"), self._sections[0])
        for key in content.keys() - {"ruleset", "rule"}:
            line = next((s.line for s in self._sections if s.name == key), head.line_of(key))
            hint = nearest(key, ("ruleset", "rule"))
            self._fault(line, f"unknown section {key}{hint}; allowed: [ruleset] and [[rule]]")
        table = content.get("ruleset")
        if not isinstance(table, dict):
            self._fault(1, "section [ruleset] is missing; it holds id, combine and the thresholds")
            table = {}
        return self._ruleset(table, head, content.get("rule", []))

    def _ruleset(self, table: dict[str, Any], place: Section, given: object) -> Ruleset:
        self._check_keys(table, _RULESET_KEYS, place)
        combine = self._choice(table, "combine", get_args(Combine), place)
        review_at = self._number(table, "review_at", place)
        block_at = self._number(table, "block_at", place)
        if not 0 < review_at < block_at:
            fault = f"review_at={review_at:g} must be above 0 and below block_at={block_at:g}"
            self._fault(place.line_of("review_at"), fault)
        if combine == "noisy_or" and block_at > 1:
            fault = f"block_at={block_at:g} is never reached: with noisy_or no score is above 1"
            self._fault(place.line_of("block_at"), fault)
        rules = self._rules(given, combine, place)
        return Ruleset(
            id=self._id(table, place),
            description=self._text(table, "description", place, otherwise=""),
            combine=cast("Combine", combine),
            review_at=review_at,
            block_at=block_at,
            rules=rules,
        )

    def _rules(self, given: object, combine: str, head: Section) -> tuple[Rule, ...]:
        tables = self._tables(given, "rule", self._sections[0])
        places = rule_sections(self._sections, len(tables))
        rules = tuple(
            self._rule(table, combine, place, examples)
            for table, (place, examples) in zip(tables, places, strict=True)
        )
        seen: dict[str, int] = {}
        for rule, (place, _) in zip(rules, places, strict=True):
            if rule.id in seen:
                self._fault(place.line, f"rule {rule.id} stands in line {seen[rule.id]} already")
            seen.setdefault(rule.id, place.line)
        if all(rule.state in ("draft", "paused") for rule in rules):
            self._fault(head.line, "no rule is active or shadow; at least one [[rule]] must be")
        return rules

    def _rule(
        self, table: dict[str, Any], combine: str, place: Section, examples: list[Section]
    ) -> Rule:
        self._check_keys(table, _RULE_KEYS, place)
        when = self._text(table, "when", place)
        because = self._text(table, "because", place)
        condition = self._parse(parse_condition, when, "when", place, _NEVER)
        observed, limit = compared_sides(condition, self._columns)
        if "observed" in table:
            text = self._text(table, "observed", place)
            observed = self._parse(parse_number, text, "observed", place, _NEVER)
        if "limit" in table:
            text = self._text(table, "limit", place)
            limit = self._parse(parse_number, text, "limit", place, _NEVER)
        return Rule(
            id=self._id(table, place),
            owner=self._text(table, "owner", place),
            description=self._text(table, "description", place, otherwise=""),
            state=cast("State", self._choice(table, "state", get_args(State), place)),
            weight=self._weight(table, combine, place),
            when=when,
            because=because,
            condition=condition,
            sentence=self._parse(parse_sentence, because, "because", place, Sentence(())),
            observed=observed,
            limit=limit,
            examples=self._examples(table.get("example", []), place, examples),
        )

    def _weight(self, table: dict[str, Any], combine: str, place: Section) -> float:
        weight = self._number(table, "weight", place)
        most = 1 if combine == "noisy_or" else MOST_WEIGHT
        if not 0 < weight <= most:
            self._fault(
                place.line_of("weight"), f"weight={weight:g} must be above 0 and at most {most:.0f}"
            )
        return weight

    def _examples(self, given: object, rule: Section, places: list[Section]) -> tuple[Example, ...]:
        tables = self._tables(given, "rule.example", rule)
        if len(places) != len(tables):
            places = [Section(name="rule.example", line=rule.line_of("example"))] * len(tables)
        return tuple(
            self._example(table, place) for table, place in zip(tables, places, strict=True)
        )

    def _example(self, table: dict[str, Any], place: Section) -> Example:
        self._check_keys(table, ("given", "fires"), place)
        given = table.get("given")
        if not isinstance(given, dict):
            self._fault(place.line, "an example needs given = { column = value, ... }")
            given = {}
        values = {name: self._given(name, value, place) for name, value in given.items()}
        fires = table.get("fires")
        if not isinstance(fires, bool):
            self._fault(place.line_of("fires"), "an example needs fires = true or false")
        return Example(given=values, fires=fires is True, line=place.line)

    def _given(self, name: str, value: object, place: Section) -> float | str:
        line = place.line_of("given")
        if name not in self._columns:
            hint = nearest(name, self._columns)
            self._fault(line, f"example gives unknown column {name}{hint}")
        elif self._columns[name].type == "text" and not isinstance(value, str):
            self._fault(line, f"example gives {name}={value!r}; it must be text")
        elif self._columns[name].type == "number" and not _is_number(value):
            self._fault(line, f"example gives {name}={value!r}; it must be a number")
        return value if isinstance(value, str) else float(cast("float", value) or 0)

    def _parse(
        self,
        parse: Callable[[str, Mapping[str, Column]], _Parsed],
        text: str,
        key: str,
        place: Section,
        otherwise: _Parsed,
    ) -> _Parsed:
        if text == "":
            return otherwise
        try:
            return parse(text, self._columns)
        except ExpressionFault as fault:
            self._fault(place.line_of(key), f"{key} {fault}")
            return otherwise

    def _tables(self, given: object, name: str, place: Section) -> list[dict[str, Any]]:
        if isinstance(given, list) and all(isinstance(item, dict) for item in given):
            return given
        found = next((s.line for s in self._sections if s.name == name), place.line_of(name))
        self._fault(found, f"{name} must be written with two brackets: [[{name}]]")
        return []

    def _id(self, table: dict[str, Any], place: Section) -> str:
        name = self._text(table, "id", place)
        if name and not _ID.fullmatch(name):
            fault = f"id={name!r} must be small letters, digits and _, a letter first, at most 64"
            self._fault(place.line_of("id"), fault)
        return name

    def _check_keys(self, table: dict[str, Any], known: tuple[str, ...], place: Section) -> None:
        for key in table:
            if key not in known:
                hint = nearest(key, known)
                fault = f"unknown key {key}{hint}; allowed: {', '.join(known)}"
                self._fault(place.line_of(key), fault)

    def _choice(
        self, table: dict[str, Any], key: str, allowed: tuple[str, ...], place: Section
    ) -> str:
        value = self._text(table, key, place)
        if value and value not in allowed:
            hint = nearest(value, allowed)
            fault = f"{key}={value!r} must be one of {', '.join(allowed)}{hint}"
            self._fault(place.line_of(key), fault)
        return value

    def _text(
        self, table: dict[str, Any], key: str, place: Section, *, otherwise: str | None = None
    ) -> str:
        value = table.get(key, otherwise)
        if isinstance(value, str) and (value.strip() != "" or otherwise is not None):
            return value
        state = "is missing; it" if key not in table else f"is {value!r}; it"
        self._fault(place.line_of(key), f"{key} {state} must be text")
        return ""

    def _number(self, table: dict[str, Any], key: str, place: Section) -> float:
        value = table.get(key)
        if _is_number(value):
            return round(float(cast("float", value)), DECIMALS)
        state = "is missing; it" if key not in table else f"is {value!r}; it"
        self._fault(place.line_of(key), f"{key} {state} must be a number")
        return {"review_at": 0.5, "block_at": 1.0}.get(key, 1.0)

    def _fault(self, line: int, message: str) -> None:
        self.faults.append((line, message))


def _is_number(value: object) -> bool:
    """A finite number; true and false are none."""
    is_numeric = isinstance(value, int | float) and not isinstance(value, bool)
    return is_numeric and abs(cast("float", value)) <= 1e15 and math.isfinite(cast("float", value))
