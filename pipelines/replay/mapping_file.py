"""Reads a mapping file and lists all its faults at once, with lines and suggestions."""

from __future__ import annotations

import codecs
import difflib
import json
import re
import tomllib
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipelines.contracts.faults import ContractFault
from pipelines.contracts.transaction import (
    CHANNELS,
    ENTRY_MODES,
    FIELD_NAMES,
    KINDS,
    REQUIRED_FIELDS,
    STATUSES,
    parse_transaction,
)
from pipelines.errors import MappingError
from pipelines.replay.mapping import EPOCH_FORMATS, RFC_3339, FieldRule, RowMapping

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

FORMATS = ("csv", "jsonl", "parquet")
_SECTIONS = ("source", "constants", "fields", "carry")
_SOURCE_KEYS = ("format", "delimiter", "quote", "encoding", "decimal", "missing")
_RULE_KEYS = ("column", "values", "otherwise", "format", "zone", "unit")
_CLOSED_SETS = {
    "channel": CHANNELS,
    "entry_mode": ENTRY_MODES,
    "kind": KINDS,
    "status": STATUSES,
}
_GOOD = {
    "transaction_id": "t",
    "event_time": "2026-03-01T12:00:00Z",
    "card_id": "c",
    "customer_id": "u",
    "merchant_id": "m",
    "merchant_category": "5411",
    "amount": 1,
    "currency": "EUR",
    "channel": "pos",
}


def load_mapping(path: Path, *, currencies: Collection[str]) -> RowMapping:
    """The mapping in ``path``; MappingError lists every fault with its line."""
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except (OSError, UnicodeDecodeError) as error:
        msg = f"the mapping {path} cannot be read: {error}"
        raise MappingError(msg) from error
    except tomllib.TOMLDecodeError as error:
        msg = f"{path} is not TOML: {error}"
        raise MappingError(msg) from error
    reading = _Reading(text)
    mapping = reading.read(content, currencies)
    faults = reading.faults()
    if faults:
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        listed = "".join(f"\n  {fault}" for fault in faults)
        msg = f"{path.name} has {count}:{listed}"
        raise MappingError(msg)
    return mapping


def check_columns(mapping: RowMapping, columns: tuple[str, ...] | None, path: Path) -> None:
    """MappingError when the mapping reads columns the file does not have."""
    if columns is None:
        return
    missing = [name for name in mapping.columns() if name not in columns]
    if missing:
        listed = "".join(f"\n  no column {name!r}{suggest(name, columns)}" for name in missing)
        msg = f"{path.name} does not fit the mapping:{listed}"
        raise MappingError(msg)


def suggest(name: str, known: Collection[str]) -> str:
    """`` - did you mean 'x'?``, or what there is."""
    by_lower = {each.lower(): each for each in known}
    near = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return f" - did you mean {by_lower[near[0]]!r}?" if near else f" - known: {', '.join(known)}"


def _strange(table: Mapping[str, Any], known: Collection[str]) -> list[str]:
    return [key for key in table if key not in known]


class _Reading:
    """Collects the faults of one file."""

    def __init__(self, text: str) -> None:
        self._faults: list[tuple[int, str]] = []
        self._lines = text.splitlines()

    def faults(self) -> list[str]:
        """The faults found, in the order of the file."""
        ordered = sorted(self._faults, key=lambda fault: fault[0])
        return [f"line {line}: {sentence}" if line else sentence for line, sentence in ordered]

    def read(self, content: dict[str, Any], currencies: Collection[str]) -> RowMapping:
        for name in _strange(content, _SECTIONS):
            self._fault(name, None, f"unknown section [{name}]{suggest(name, _SECTIONS)}")
        source = self._table(content, "source")
        constants = self._table(content, "constants")
        fields = self._table(content, "fields")
        rules = self._read_rules(fields)
        self._check_constants(constants, rules, currencies)
        for name in REQUIRED_FIELDS:
            if name not in constants and name not in fields:
                self._fault(
                    "fields",
                    None,
                    f"{name} is missing - it is required, from a column "
                    "in [fields] or as one of the [constants]",
                )
        return RowMapping(
            rules=tuple(rules),
            constants=constants,
            carry=self._read_carry(self._table(content, "carry")),
            **self._read_source(source),
        )

    def _read_source(self, source: Mapping[str, Any]) -> dict[str, Any]:
        read = {key: value for key, value in source.items() if key in _SOURCE_KEYS}
        for key in _strange(source, _SOURCE_KEYS):
            self._fault("source", key, f"unknown setting {key}{suggest(key, _SOURCE_KEYS)}")
        self._check_format(read)
        self._check_characters(read)
        self._check_encoding(read)
        if "missing" in read:
            read["missing"] = self._read_missing(read["missing"])
        return read

    def _check_format(self, source: Mapping[str, Any]) -> None:
        found = source.get("format", FORMATS[0])
        if found not in FORMATS:
            sentence = f"format = {found!r} - must be one of {', '.join(FORMATS)}"
            self._fault("source", "format", sentence)

    def _check_characters(self, source: Mapping[str, Any]) -> None:
        for key in ("delimiter", "quote", "decimal"):
            value = source.get(key)
            allowed = isinstance(value, str) and len(value) == 1
            if key in source and not allowed and (key, value) != ("quote", ""):
                self._fault("source", key, f"{key} = {value!r} - must be one character")
        if source.get("decimal") not in (None, ".", ","):
            self._fault("source", "decimal", "decimal must be '.' or ','")

    def _check_encoding(self, source: Mapping[str, Any]) -> None:
        try:
            codecs.lookup(source.get("encoding", "utf-8"))
        except (LookupError, TypeError):
            self._fault(
                "source",
                "encoding",
                f"encoding = {source['encoding']!r} - must be one "
                "Python knows, such as utf-8 or latin-1",
            )

    def _read_missing(self, texts: object) -> frozenset[str]:
        if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
            self._fault("source", "missing", 'missing must be a list of texts: ["", "NULL"]')
            return frozenset()
        return frozenset(texts)

    def _read_rules(self, fields: Mapping[str, Any]) -> list[FieldRule]:
        rules = []
        for name, value in fields.items():
            if name not in FIELD_NAMES:
                hint = suggest(name, FIELD_NAMES)
                self._fault("fields", name, f"unknown field {name}{hint}")
                continue
            spec = {"column": value} if isinstance(value, str) else value
            if not isinstance(spec, dict) or not isinstance(spec.get("column"), str):
                self._fault(
                    "fields",
                    name,
                    f'{name} - must be a column\'s name, or a table such as {{ column = "NAME" }}',
                )
                continue
            rules.append(self._read_rule(name, spec))
        return rules

    def _read_rule(self, name: str, spec: dict[str, Any]) -> FieldRule:
        for key in _strange(spec, _RULE_KEYS):
            self._fault("fields", name, f"{name}: unknown setting {key}{suggest(key, _RULE_KEYS)}")
        for key, owner in (("unit", "amount"), ("format", "event_time"), ("zone", "event_time")):
            if key in spec and name != owner:
                self._fault("fields", name, f"{name}: {key} is for {owner} only")
        if spec.get("unit", "major") not in ("major", "minor"):
            self._fault("fields", name, f"{name}: unit = {spec['unit']!r} - must be major or minor")
        self._check_values(name, spec)
        values = spec.get("values")
        return FieldRule(
            field=name,
            column=spec["column"],
            format=self._read_format(name, spec) if name == "event_time" else RFC_3339,
            zone=self._read_zone(name, spec),
            is_minor=spec.get("unit") == "minor",
            values=values if isinstance(values, dict) else None,
            otherwise=spec.get("otherwise"),
        )

    def _read_format(self, name: str, spec: dict[str, Any]) -> str:
        pattern = spec.get("format", RFC_3339)
        known = (RFC_3339, *EPOCH_FORMATS)
        if pattern not in known and not (isinstance(pattern, str) and "%" in pattern):
            self._fault(
                "fields",
                name,
                f"{name}: format = {pattern!r} - must be one of "
                f"{', '.join(known)}, or a pattern such as %d.%m.%Y %H:%M:%S",
            )
            return RFC_3339
        if "%" in pattern and "%z" not in pattern and "zone" not in spec:
            self._fault(
                "fields",
                name,
                f"{name}: zone is missing - say in which time zone the "
                'file is written: zone = "UTC" or zone = "Europe/Berlin"',
            )
        return str(pattern)

    def _read_zone(self, name: str, spec: dict[str, Any]) -> ZoneInfo | None:
        zone = spec.get("zone")
        if zone is None:
            return None
        try:
            return ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
            self._fault(
                "fields",
                name,
                f"{name}: zone = {zone!r} - must be a time zone such as UTC or Europe/Berlin",
            )
            return None

    def _check_values(self, name: str, spec: dict[str, Any]) -> None:
        values, otherwise = spec.get("values", {}), spec.get("otherwise")
        if not isinstance(values, dict) or not all(isinstance(v, str) for v in values.values()):
            self._fault("fields", name, f'{name}: values must be a table such as {{ "P" = "pos" }}')
            return
        if otherwise is not None and ("values" not in spec or not isinstance(otherwise, str)):
            self._fault("fields", name, f"{name}: otherwise must be text, beside values")
            return
        allowed = _CLOSED_SETS.get(name)
        for word in dict.fromkeys([*values.values(), otherwise or ""]):
            if allowed is not None and word != "" and word not in allowed:
                self._fault(
                    "fields", name, f"{name}: {word!r} is not allowed{suggest(word, allowed)}"
                )

    def _check_constants(
        self, constants: Mapping[str, Any], rules: list[FieldRule], currencies: Collection[str]
    ) -> None:
        for name, value in constants.items():
            if name not in FIELD_NAMES:
                hint = suggest(name, FIELD_NAMES)
                self._fault("constants", name, f"unknown field {name}{hint}")
                continue
            if name in {rule.field for rule in rules}:
                self._fault("constants", name, f"{name} stands in [fields], too - remove one")
            try:
                record = json.dumps({**_GOOD, name: value}, default=str).encode()
                parse_transaction(record, currencies=currencies)
            except ContractFault as fault:
                self._fault("constants", name, fault.detail)

    def _read_carry(self, carry: Mapping[str, Any]) -> tuple[str, ...]:
        columns = carry.get("columns", [])
        for key in _strange(carry, ("columns",)):
            self._fault("carry", key, f"unknown setting {key} - known: columns")
        if not isinstance(columns, list) or not all(isinstance(c, str) for c in columns):
            self._fault("carry", "columns", 'columns must be a list of names: ["BRANCH"]')
            return ()
        for name in columns:
            if name in FIELD_NAMES:
                self._fault(
                    "carry", "columns", f"{name} is a field of the contract - put it into [fields]"
                )
        return tuple(columns)

    def _table(self, content: Mapping[str, Any], section: str) -> dict[str, Any]:
        table = content.get(section, {})
        if isinstance(table, dict):
            return table
        self._fault(section, None, f"{section} must be a section: [{section}]")
        return {}

    def _fault(self, section: str, key: str | None, sentence: str) -> None:
        self._faults.append((self._find_line(section, key) or 0, sentence))

    def _find_line(self, section: str, key: str | None) -> int | None:
        """The line of ``key`` in ``section``; of the section when the key is not found."""
        found: int | None = None
        inside = False
        quoted = re.escape(key or "")
        for number, line in enumerate(self._lines, start=1):
            header = re.match(r"\s*\[([^\]]+)\]", line)
            if header is not None:
                path = header.group(1).strip()
                inside = path == section or path.startswith(f"{section}.")
                if inside and (found is None or path == f"{section}.{key}"):
                    found = number
            elif key is not None and inside and re.match(rf'\s*"?{quoted}"?\s*[.=]', line):
                return number
        return found
