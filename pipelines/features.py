"""The declared features: read from ``features.toml``, and cut down to what a rule set needs.

The kernel gets its part as a literal in the job's SQL (``Stage.plan_json``). Filters and categories
keep the order of the declaration, so that the plan of a feature does not depend on which others are
selected.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipelines.columns import Column, transaction_columns
from pipelines.errors import FeaturesError
from pipelines.expressions.parsing import ExpressionFault, parse_condition
from pipelines.expressions.tree import Node

Kind = Literal["count", "money", "number"]
Entity = Literal["customer", "card"]

SHIPPED = Path(__file__).with_name("features.toml")
ENTITIES: tuple[Entity, ...] = ("customer", "card")
"""In the order of their stages: a customer's attributes come before the card's history."""

WINDOWED: Mapping[str, Kind] = {
    "count": "count",
    "sum": "money",
    "mean": "number",
    "stddev": "number",
    "min": "money",
    "max": "money",
    "distinct": "count",
}
UNWINDOWED: Mapping[str, Kind] = {
    "first_seen": "count",
    "travel_km": "number",
    "travel_gap_min": "number",
    "travel_kmh": "number",
    "attribute": "number",
}
CATEGORIES = ("merchant_id", "device_id", "country", "merchant_category")
ATTRIBUTES = ("max_speed_kmh", "home_latitude", "home_longitude")
LONGEST_WINDOW_MS = 90 * 86_400_000

_WINDOW = re.compile(r"([1-9][0-9]*)(s|m|h|d)")
_UNIT_MS = {"s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_KEYS = frozenset(
    {
        "name",
        "entity",
        "aggregate",
        "windows",
        "filter",
        "category",
        "place",
        "field",
        "exclude_current",
        "about",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One feature: one aggregate over one window."""

    name: str
    entity: Entity
    aggregate: str
    kind: Kind
    about: str
    window_ms: int = 0
    filter: str | None = None
    category: str | None = None
    place: str | None = None
    field: str | None = None
    excludes_current: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which transactions count: a predicate over the transaction's own columns."""

    name: str
    condition: Node


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """What one keyed step of the job computes."""

    entity: Entity
    features: tuple[Feature, ...]
    filters: tuple[Filter, ...]
    categories: tuple[str, ...]

    @property
    def horizon_ms(self) -> int:
        """The longest window: how far back the stage remembers events."""
        return max((feature.window_ms for feature in self.features), default=0)

    def plan_json(self) -> str:
        """The literal the kernel is given; equal stages give equal text."""
        if self.entity == "customer":
            plan: dict[str, Any] = {
                "version": 1,
                "entity": "customer",
                "key": "customer_id",
                "attributes": [{"name": item.name, "field": item.field} for item in self.features],
            }
        else:
            plan = self._card_plan()
        return json.dumps(plan, separators=(",", ":"))

    def _card_plan(self) -> dict[str, Any]:
        filters = [item.name for item in self.filters]
        places = [feature.place for feature in self.features if feature.place is not None]
        return {
            "version": 1,
            "entity": "card",
            "key": "card_id",
            "horizon_ms": self.horizon_ms,
            "filters": filters,
            "categories": list(self.categories),
            "place_filter": filters.index(places[0]) if places else -1,
            "features": [
                {
                    "name": item.name,
                    "aggregate": item.aggregate,
                    "window_ms": item.window_ms,
                    "filter": -1 if item.filter is None else filters.index(item.filter),
                    "category": (
                        -1 if item.category is None else self.categories.index(item.category)
                    ),
                    "exclude_current": item.excludes_current,
                }
                for item in self.features
            ],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """All declared features and filters."""

    features: tuple[Feature, ...]
    filters: tuple[Filter, ...]

    def columns(self) -> dict[str, Column]:
        """Everything a rule may use, by name."""
        own = [
            Column(name=feature.name, type="number", about=feature.about)
            for feature in self.features
        ]
        return {column.name: column for column in (*transaction_columns(), *own)}

    def select(self, names: Iterable[str]) -> tuple[Stage, ...]:
        """The stages that compute the named features; names of other columns are passed over.

        The card stage is always there, last: it finds repeats and late transactions.
        """
        wanted = frozenset(names)
        chosen = [feature for feature in self.features if feature.name in wanted]
        stages = (self._stage(entity, chosen) for entity in ENTITIES)
        return tuple(stage for stage in stages if stage.features or stage.entity == "card")

    def _stage(self, entity: Entity, chosen: list[Feature]) -> Stage:
        features = tuple(feature for feature in chosen if feature.entity == entity)
        filters = {feature.filter for feature in features} | {item.place for item in features}
        categories = {feature.category for feature in features}
        return Stage(
            entity=entity,
            features=features,
            filters=tuple(item for item in self.filters if item.name in filters),
            categories=tuple(name for name in CATEGORIES if name in categories),
        )


def load_features(path: Path = SHIPPED) -> Features:
    """The declaration in a TOML file; FeaturesError lists every fault."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        msg = f"{path.name} is not TOML: {error}"
        raise FeaturesError(msg) from error
    faults: list[str] = []
    if content.get("version") != 1:
        faults.append(f"version must be 1, not {content.get('version')}")
    filters = _read_filters(content.get("filter", {}), faults)
    names = {item.name for item in filters}
    features = tuple(
        feature
        for table in content.get("feature", [])
        for feature in _read_feature(table, names, faults)
    )
    doubled = {item.name for item in features if _count(item.name, features) > 1}
    faults += [f"feature {name} is declared twice" for name in sorted(doubled)]
    if faults:
        raise FeaturesError("; ".join(f"{path.name}: {fault}" for fault in faults))
    return Features(features=features, filters=filters)


def _count(name: str, features: Iterable[Feature]) -> int:
    return sum(feature.name == name for feature in features)


def _read_filters(table: Mapping[str, str], faults: list[str]) -> tuple[Filter, ...]:
    columns = {column.name: column for column in transaction_columns()}
    filters = []
    for name, text in table.items():
        try:
            filters.append(Filter(name=name, condition=parse_condition(text, columns)))
        except ExpressionFault as fault:
            faults.append(f"filter {name} {fault}")
    return tuple(filters)


def _read_feature(table: Mapping[str, Any], filters: set[str], faults: list[str]) -> list[Feature]:
    name = str(table.get("name", ""))
    aggregate = str(table.get("aggregate", ""))
    found = _faults_of(table, name, aggregate, filters)
    windows = table.get("windows", [])
    sizes = {text: _window_ms(text) for text in windows}
    found += [
        f"window {text!r} must be like 10s, 5m, 24h or 30d, and at most 90d"
        for text, size in sizes.items()
        if size is None
    ]
    faults += [f"feature {name or '(without a name)'}: {fault}" for fault in found]
    if found:
        return []
    kind = {**WINDOWED, **UNWINDOWED}[aggregate]

    def make(window: str | None) -> Feature:
        return Feature(
            name=name if window is None else name.replace("{window}", window),
            entity=table["entity"],
            aggregate=aggregate,
            kind=kind,
            about=table["about"],
            window_ms=0 if window is None else (sizes[window] or 0),
            filter=table.get("filter"),
            category=table.get("category"),
            place=table.get("place"),
            field=table.get("field"),
            excludes_current=table.get("exclude_current", False),
        )

    return [make(window) for window in windows] if windows else [make(None)]


def _faults_of(table: Mapping[str, Any], name: str, aggregate: str, filters: set[str]) -> list[str]:
    needs_category = aggregate in ("distinct", "first_seen")
    checks = (
        (name == "", "name is missing"),
        (not isinstance(table.get("about"), str), "about is missing; say what it means"),
        (
            table.get("entity") not in ENTITIES,
            f"entity={table.get('entity')!r} must be one of {', '.join(ENTITIES)}",
        ),
        (
            aggregate not in {**WINDOWED, **UNWINDOWED},
            f"aggregate={aggregate!r} must be one of {', '.join({**WINDOWED, **UNWINDOWED})}",
        ),
        (
            aggregate in WINDOWED and not table.get("windows"),
            "windows are missing",
        ),
        (
            aggregate in UNWINDOWED and bool(table.get("windows")),
            f"{aggregate} takes no windows",
        ),
        (
            bool(table.get("windows")) and "{window}" not in name,
            "name must contain {window}",
        ),
        (
            needs_category and table.get("category") not in CATEGORIES,
            f"category={table.get('category')!r} must be one of {', '.join(CATEGORIES)}",
        ),
        (
            aggregate == "attribute" and table.get("field") not in ATTRIBUTES,
            f"field={table.get('field')!r} must be one of {', '.join(ATTRIBUTES)}",
        ),
    )
    found = [message for is_wrong, message in checks if is_wrong]
    found += [f"unknown key {key}" for key in table if key not in _KEYS]
    for key in ("filter", "place"):
        if table.get(key) is not None and table[key] not in filters:
            found.append(f"{key}={table[key]!r} is not declared in [filter]")
    return found


def _window_ms(text: str) -> int | None:
    match = _WINDOW.fullmatch(text)
    if match is None:
        return None
    size = int(match.group(1)) * _UNIT_MS[match.group(2)]
    return size if size <= LONGEST_WINDOW_MS else None
