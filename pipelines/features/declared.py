"""All declared features, and the stages that compute those a rule set needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipelines.columns import Column, transaction_columns
from pipelines.features.stage import Entity, Feature, Filter, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable

ENTITIES: tuple[Entity, ...] = ("customer", "card")
"""In the order of their stages: a customer's attributes come before the card's history."""

CATEGORIES = ("merchant_id", "device_id", "country", "merchant_category")
"""The columns whose values can be told apart, in the order in which the kernel gets them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """All declared features and filters."""

    features: tuple[Feature, ...]
    filters: tuple[Filter, ...]

    def columns(self) -> dict[str, Column]:
        """Everything a rule may use, by name."""
        own = [
            Column(name=item.name, type="number", about=item.about, origin=item.entity)
            for item in self.features
        ]
        return {column.name: column for column in (*transaction_columns(), *own)}

    def select(self, names: Iterable[str]) -> tuple[Stage, ...]:
        """The stages that compute the named features; names of other columns are passed over.

        The card stage is always there, last: it finds repeats and late transactions, and keeps the
        card's last place, so that a rule set that asks for travel later finds the right one.
        """
        wanted = frozenset(names)
        chosen = [feature for feature in self.features if feature.name in wanted]
        stages = (self._stage(entity, chosen) for entity in ENTITIES)
        return tuple(stage for stage in stages if stage.features or stage.entity == "card")

    def _stage(self, entity: Entity, chosen: list[Feature]) -> Stage:
        features = tuple(feature for feature in chosen if feature.entity == entity)
        place = self._place() if entity == "card" else None
        filters = {place, *(feature.filter for feature in features)}
        categories = {feature.category for feature in features}
        return Stage(
            entity=entity,
            features=features,
            filters=tuple(item for item in self.filters if item.name in filters),
            categories=tuple(name for name in CATEGORIES if name in categories),
            place_filter=place,
        )

    def _place(self) -> str | None:
        """What counts as a place: the same for all travel features, selected or not."""
        return next((item.place for item in self.features if item.place is not None), None)
