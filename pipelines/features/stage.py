"""What one keyed step of the job computes, and the plan that tells the kernel.

The plan is a literal in the job's SQL. Filters and categories keep the order of the declaration, so
that the plan of a feature does not depend on which others are selected.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pipelines.expressions.tree import Node

Kind = Literal["count", "money", "number"]
Entity = Literal["customer", "card", "merchant", "device", "ip"]

OF_LABELS = ("fraud_share", "fraud_count")
"""The aggregates of what transactions turned out to be, in whole days."""
READ_VALUES = ("distinct", "category_mean")
"""The aggregates that look at the values of a category, which are kept with the events."""

PLAN_VERSION = 2
CARD_MEMORY_MS = 180 * 86_400_000
"""Longer than any window, so that a card's last place and use are known when it wakes up."""
KEY_COLUMNS: dict[Entity, str] = {
    "customer": "customer_id",
    "card": "card_id",
    "merchant": "merchant_id",
    "device": "device_id",
    "ip": "ip_address",
}
"""The transaction's own column that names the entity; the last two may be missing."""

KEYS: dict[Entity, str] = {
    "customer": "customer_id",
    "card": "card_id",
    "merchant": "merchant_key",
    "device": "device_key",
    "ip": "ip_key",
}
"""The column of the event row that a stage of the entity is keyed by."""


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
    delay_ms: int = 0
    """Of what labels tell: so long before the transaction the window ends."""
    prior: float = 0.0
    """The share of fraud where nothing is known."""
    prior_weight: float = 0.0
    """As many transactions the prior counts for."""

    @property
    def is_of_labels(self) -> bool:
        """Whether it tells what earlier transactions turned out to be."""
        return self.aggregate in OF_LABELS

    def meaning(self) -> list[Any]:
        """What decides its values; neither what it is for nor how it is shown."""
        return [
            *(self.name, self.entity, self.aggregate, self.window_ms, self.filter),
            *(self.category, self.place, self.field, self.excludes_current),
            *((self.delay_ms, self.prior, self.prior_weight) if self.is_of_labels else ()),
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """Which transactions count: a predicate over the transaction's own columns."""

    name: str
    condition: Node

    @property
    def state_name(self) -> str:
        """What it is called in the state: with another meaning it is another, and starts empty."""
        return f"{self.name}@{hashlib.sha256(repr(self.condition).encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The features of one entity, and what the kernel must be given to compute them."""

    entity: Entity
    features: tuple[Feature, ...]
    filters: tuple[Filter, ...]
    categories: tuple[str, ...]
    place_filter: str | None = None
    """The filter that says which transactions are places; None: all that have coordinates."""
    all_filters: tuple[str, ...] = ()
    """The filters of all stages, in the order of their bits in the event row."""
    all_categories: tuple[str, ...] = ()
    """The categories of all stages, in the order of their hashes in the event row."""
    first_feature: int = 0
    """Where the stage's features stand among those of all stages."""
    is_numbering: bool = False
    """Set on the card's stage where stages behind it mix the order of its records."""

    @property
    def is_attributes(self) -> bool:
        """True for what is known of a customer, false for what an entity's history tells."""
        return any(feature.aggregate == "attribute" for feature in self.features)

    @property
    def has_labels(self) -> bool:
        """Whether labels are an input of the stage."""
        return any(feature.is_of_labels for feature in self.features)

    @property
    def uid(self) -> str:
        """The name of the stage's state in savepoints, for good."""
        kind = "attributes" if self.is_attributes else "profile"
        return f"{self.entity}-{kind}"

    @property
    def horizon_ms(self) -> int:
        """The longest window of events: how far back the stage remembers them."""
        windows = (feature.window_ms for feature in self.features if not feature.is_of_labels)
        return max(windows, default=0)

    @property
    def labels_ms(self) -> int:
        """How far back the stage counts what labels tell of; 0 without such features."""
        reach = (item.delay_ms + item.window_ms for item in self.features if item.is_of_labels)
        return max(reach, default=0)

    @property
    def forget_after_ms(self) -> int:
        """A key that was idle for longer is forgotten, in event time; but for what labels tell."""
        return CARD_MEMORY_MS if self.entity == "card" else self.horizon_ms

    def meaning(self, names: Collection[str]) -> list[Any]:
        """What decides the values of the named features: those that come along decide nothing."""
        filters = [[item.name, repr(item.condition)] for item in self.filters]
        features = [item.meaning() for item in self.features if item.name in names]
        return [features, filters, self.place_filter]

    @property
    def mixes_cards(self) -> bool:
        """Whether a card's records may leave it in another order than that of their partition."""
        return self.entity != "card" and not self.is_attributes

    def plan_json(self) -> str:
        """The literal the kernel is given; equal stages give equal text."""
        head = {"version": PLAN_VERSION, "entity": self.entity, "key": KEYS[self.entity]}
        body = self._attributes() if self.is_attributes else self._history()
        return json.dumps({**head, **body}, separators=(",", ":"))

    def _attributes(self) -> dict[str, Any]:
        return {"attributes": [{"name": item.name, "field": item.field} for item in self.features]}

    def _history(self) -> dict[str, Any]:
        filters = [item.name for item in self.filters]
        meanings = {item.name: item.state_name for item in self.filters}
        return {
            "first_feature": self.first_feature,
            "numbering": self.is_numbering,
            "forget_after_ms": self.forget_after_ms,
            "horizon_ms": self.horizon_ms,
            "filters": _inputs(filters, self.all_filters, meanings),
            "categories": _inputs(self.categories, self.all_categories, {}),
            "place_filter": _position(self.place_filter, filters),
            "features": [
                {
                    "name": item.name,
                    "aggregate": item.aggregate,
                    "window_ms": item.window_ms,
                    "filter": _position(item.filter, filters),
                    "category": _position(item.category, self.categories),
                    "exclude_current": item.excludes_current,
                    **_labels(item),
                }
                for item in self.features
            ],
        }


def _labels(feature: Feature) -> dict[str, Any]:
    if not feature.is_of_labels:
        return {}
    return {
        "delay_ms": feature.delay_ms,
        "prior": feature.prior,
        "prior_weight": feature.prior_weight,
    }


def _inputs(
    names: Sequence[str], everywhere: Sequence[str], in_state: Mapping[str, str]
) -> list[dict[str, Any]]:
    return [
        {"name": in_state.get(name, name), "position": everywhere.index(name)} for name in names
    ]


def _position(name: str | None, names: Sequence[str]) -> int:
    return -1 if name is None else names.index(name)
