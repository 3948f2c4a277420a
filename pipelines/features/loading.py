"""Reading ``features.toml``: every fault found, in one error."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from pipelines.columns import transaction_columns
from pipelines.errors import FeaturesError
from pipelines.expressions.faults import ExpressionFault
from pipelines.expressions.parsing import parse_condition
from pipelines.features.declared import CATEGORIES, Features
from pipelines.features.stage import OF_LABELS, Entity, Feature, Filter, Kind
from pipelines.hints import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

SHIPPED = Path(__file__).parent.parent / "features.toml"
LONGEST_WINDOW_MS = 90 * 86_400_000
MOST_FILTERS = 16
"""So many bits the kernel keeps of each event."""

ATTRIBUTES = ("max_speed_kmh", "home_latitude", "home_longitude")
_COMMON_KEYS = ("name", "entity", "aggregate", "about")
_NAME = re.compile(r"(card|customer|merchant|device|ip|travel)_[a-z0-9_]*[a-z0-9]")
_WINDOW = re.compile(r"([1-9][0-9]{0,9})(s|m|h|d)")
_UNIT_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}


@dataclass(frozen=True, slots=True)
class _Aggregate:
    """What an aggregate gives, for which entity, and which keys it takes besides the common."""

    kind: Kind
    entities: tuple[Entity, ...]
    needs: tuple[str, ...]
    takes: tuple[str, ...] = ()
    excludes_current: bool = False
    """Compares the transaction with those before it, so that it never counts itself."""


_WINDOWED = ("filter", "exclude_current")
_ANY: tuple[Entity, ...] = ("card", "customer", "merchant", "device", "ip")
_CARD: tuple[Entity, ...] = ("card",)
_LABELLED: tuple[Entity, ...] = ("merchant", "device")
AGGREGATES: Mapping[str, _Aggregate] = {
    "count": _Aggregate("count", _ANY, ("windows",), _WINDOWED),
    "sum": _Aggregate("money", _ANY, ("windows",), _WINDOWED),
    "mean": _Aggregate("number", _ANY, ("windows",), _WINDOWED),
    "stddev": _Aggregate("number", _ANY, ("windows",), _WINDOWED),
    "min": _Aggregate("money", _ANY, ("windows",), _WINDOWED),
    "max": _Aggregate("money", _ANY, ("windows",), _WINDOWED),
    "rate": _Aggregate("number", _ANY, ("windows",), _WINDOWED),
    "distinct": _Aggregate("count", _ANY, ("windows", "category"), _WINDOWED),
    "p95": _Aggregate("money", _ANY, ("windows",), _WINDOWED),
    "robust_z": _Aggregate("number", _ANY, ("windows",), ("filter",), excludes_current=True),
    "time_of_day_share": _Aggregate(
        "number", _ANY, ("windows",), ("filter",), excludes_current=True
    ),
    "category_mean": _Aggregate("number", _ANY, ("windows", "category"), _WINDOWED),
    "fraud_share": _Aggregate(
        "number", _LABELLED, ("windows", "delay", "prior", "prior_weight"), excludes_current=True
    ),
    "fraud_count": _Aggregate("count", _LABELLED, ("windows", "delay"), excludes_current=True),
    "first_seen": _Aggregate("count", _CARD, ("category",)),
    "travel_km": _Aggregate("number", _CARD, ("place",)),
    "travel_gap_min": _Aggregate("number", _CARD, ("place",)),
    "travel_kmh": _Aggregate("number", _CARD, ("place",)),
    "travel_from_latitude": _Aggregate("number", _CARD, ("place",)),
    "travel_from_longitude": _Aggregate("number", _CARD, ("place",)),
    "since_last_min": _Aggregate("number", _CARD, ()),
    "attribute": _Aggregate("number", ("customer",), ("field",)),
}


def load_features(path: Path = SHIPPED) -> Features:
    """The declaration in a TOML file; FeaturesError lists every fault."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        msg = f"the features {path.name} cannot be read: {error}"
        raise FeaturesError(msg) from error
    reader = _Reader(content)
    features = reader.read()
    if reader.faults:
        raise FeaturesError("\n".join(f"{path.name}: {fault}" for fault in reader.faults))
    return features


class _Reader:
    """Reads one declaration and gathers its faults."""

    def __init__(self, content: Mapping[str, Any]) -> None:
        self._content = content
        self.faults: list[str] = []

    def read(self) -> Features:
        """What could be read; worth nothing when there are faults."""
        if self._content.get("version") != 1:
            self.faults.append(f"version={self._content.get('version')!r} must be 1")
        for key in self._content.keys() - {"version", "filter", "feature"}:
            self.faults.append(f"unknown section {key}; allowed: version, filter, feature")
        filters = self._filters()
        # Faulty ones too: they have a fault of their own.
        given = self._content.get("filter")
        named = set(given) if isinstance(given, dict) else set()
        tables = self._content.get("feature", [])
        if not _is_list_of_tables(tables) or not tables:
            self.faults.append("features are missing; write [[feature]] above each")
            tables = []
        features = tuple(feature for table in tables for feature in self._features(table, named))
        self._check_together(features)
        return Features(features=features, filters=tuple(filters.values()))

    def _filters(self) -> dict[str, Filter]:
        tables = self._content.get("filter", {})
        if not isinstance(tables, dict):
            self.faults.append("filter must be a section: [filter]")
            return {}
        if len(tables) > MOST_FILTERS:
            self.faults.append(f"{len(tables)} filters; at most {MOST_FILTERS} are allowed")
        columns = {column.name: column for column in transaction_columns()}
        filters = {}
        for name, text in tables.items():
            try:
                filters[name] = Filter(name=name, condition=parse_condition(str(text), columns))
            except ExpressionFault as fault:
                self.faults.append(f"filter {name} {fault}")
        return filters

    def _features(self, table: Mapping[str, Any], filters: set[str]) -> list[Feature]:
        name = table.get("name")
        found = [*_key_faults(table), *_value_faults(table, filters)]
        if not _is_name(name, table.get("entity")):
            found.append(
                f"name={name!r} must begin with its entity (card_, customer_, merchant_, device_, "
                "ip_; or travel_), then small letters, digits and _"
            )
        self.faults += [f"feature {name or '(without a name)'}: {fault}" for fault in found]
        if found:
            return []
        return [_feature(table, window) for window in table.get("windows", [None])]

    def _check_together(self, features: tuple[Feature, ...]) -> None:
        reserved = {"card_id", "customer_id", *(column.name for column in transaction_columns())}
        for name, times in Counter(feature.name for feature in features).items():
            if times > 1:
                self.faults.append(f"feature {name} is declared twice")
            if name in reserved:
                self.faults.append(f"feature {name} has the name of a transaction's own column")
        places = {feature.place for feature in features if feature.aggregate.startswith("travel")}
        if len(places) > 1:
            names = ", ".join(sorted(str(place) for place in places))
            self.faults.append(f"travel features must agree on one place, not {names}")


def _is_list_of_tables(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _is_name(name: object, entity: object) -> bool:
    match = _NAME.fullmatch(_name_in(name, "1h")) if isinstance(name, str) else None
    return match is not None and (
        match.group(1) in (entity, "travel") or entity not in get_args(Entity)
    )


def _name_in(name: str, window: str) -> str:
    return name.replace("{window}", window)


def _key_faults(table: Mapping[str, Any]) -> list[str]:
    """Keys that are missing, unknown, or mean nothing to this aggregate."""
    aggregate = AGGREGATES.get(str(table.get("aggregate")))
    if aggregate is None:
        named = str(table.get("aggregate", ""))
        hint = nearest(named, AGGREGATES)
        return [f"aggregate={named!r} must be one of {', '.join(AGGREGATES)}{hint}"]
    allowed = (*_COMMON_KEYS, *aggregate.needs, *aggregate.takes)
    found = [
        f"{key} means nothing to {table['aggregate']}; allowed: {', '.join(allowed)}"
        for key in table
        if key not in allowed
    ]
    found += [
        f"{key} is missing; {table['aggregate']} needs it"
        for key in aggregate.needs
        if key not in table
    ]
    if table.get("entity") not in aggregate.entities:
        allowed_entities = " or ".join(aggregate.entities)
        found.append(
            f"entity={table.get('entity')!r} must be {allowed_entities} for {table['aggregate']}"
        )
    return found


def _value_faults(table: Mapping[str, Any], filters: set[str]) -> list[str]:
    found = []
    about = table.get("about")
    if not isinstance(about, str) or about.strip() == "":
        found.append("about is missing; say in a sentence what it means")
    if not isinstance(table.get("exclude_current", False), bool):
        found.append("exclude_current must be true or false")
    names_of_filters = tuple(filters)  # unlike a set, it can be asked for a list or a table
    closed = {
        "category": CATEGORIES,
        "field": ATTRIBUTES,
        "filter": names_of_filters,
        "place": names_of_filters,
    }
    for key, allowed in closed.items():
        if key in table and table[key] not in allowed:
            names = ", ".join(sorted(allowed)) or "nothing, for [filter] is empty"
            hint = nearest(str(table[key]), allowed)
            found.append(f"{key}={table[key]!r} must be one of {names}{hint}")
    found += _label_faults(table)
    return found + (_window_faults(table) if "windows" in table else [])


def _label_faults(table: Mapping[str, Any]) -> list[str]:
    """Of the options of what labels tell; those that are missing have a fault of their own."""
    found = []
    if "delay" in table and _days(table["delay"]) is None:
        found.append(f"delay={table['delay']!r} must be whole days such as 7d, from 0d to 90d")
    if table.get("aggregate") in OF_LABELS and isinstance(table.get("windows"), list):
        found += [
            f"window {text!r} must be whole days such as 30d, for labels are counted by the day"
            for text in table["windows"]
            if _window_ms(text) is not None and _days(text) is None
        ]
    prior, weight = table.get("prior", 0), table.get("prior_weight", 1)
    if not _is_number(prior) or not 0 <= prior <= 1:
        found.append(f"prior={prior!r} must be a share from 0 to 1: that of fraud in general")
    if not _is_number(weight) or not 0 < weight <= 1_000_000:
        found.append(f"prior_weight={weight!r} must be above 0: the transactions it stands for")
    return found


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _days(text: object) -> int | None:
    """Whole days, in milliseconds."""
    match = re.fullmatch(r"([0-9]{1,2})d", text) if isinstance(text, str) else None
    if match is None or int(match.group(1)) * _UNIT_MS["d"] > LONGEST_WINDOW_MS:
        return None
    return int(match.group(1)) * _UNIT_MS["d"]


def _window_faults(table: Mapping[str, Any]) -> list[str]:
    windows = table["windows"]
    if not isinstance(windows, list) or not windows:
        return ["windows must be a list such as ['1h', '24h']"]
    found = [
        f"window {text!r} must be like 10s, 5m, 24h or 30d, and at most 90d"
        for text in windows
        if _window_ms(text) is None
    ]
    if "{window}" not in str(table.get("name")):
        found.append("name must contain {window}, which stands for each of the windows")
    return found


def _window_ms(text: object) -> int | None:
    match = _WINDOW.fullmatch(text) if isinstance(text, str) else None
    if match is None:
        return None
    size = int(match.group(1)) * _UNIT_MS[match.group(2)]
    return size if size <= LONGEST_WINDOW_MS else None


def _feature(table: Mapping[str, Any], window: str | None) -> Feature:
    aggregate = AGGREGATES[table["aggregate"]]
    return Feature(
        name=table["name"] if window is None else _name_in(table["name"], window),
        entity=table["entity"],
        aggregate=table["aggregate"],
        kind=aggregate.kind,
        about=table["about"],
        window_ms=_window_ms(window) or 0,
        filter=table.get("filter"),
        category=table.get("category"),
        place=table.get("place"),
        field=table.get("field"),
        excludes_current=aggregate.excludes_current or table.get("exclude_current", False),
        delay_ms=_days(table.get("delay")) or 0,
        prior=float(table.get("prior", 0)),
        prior_weight=float(table.get("prior_weight", 0)),
    )
