"""All declared features, and the stages that compute those a rule set needs."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import accumulate
from typing import TYPE_CHECKING

from pipelines.columns import Column, transaction_columns
from pipelines.errors import FeaturesError
from pipelines.features.stage import Entity, Feature, Filter, Stage

if TYPE_CHECKING:
    from collections.abc import Iterable

ORDER: tuple[tuple[Entity, bool], ...] = (
    ("customer", True),
    ("card", False),
    ("customer", False),
    ("merchant", False),
    ("device", False),
    ("ip", False),
)
"""The stages in their order: entity, and whether it gives attributes instead of a history.

The attributes of a customer are looked up first; the card's stage is the first of the histories,
because it tells the repeats, which no history may count.
"""

MOST_FEATURES = 255
"""Of one job: the event row counts them in a byte."""

CATEGORIES = (
    "merchant_id",
    "device_id",
    "country",
    "merchant_category",
    "card_id",
    "customer_id",
    "ip_address",
)
"""The columns whose values can be told apart, in the order in which the kernel gets them."""
ORIGIN_OF_TRAVEL = frozenset({"travel_from_latitude", "travel_from_longitude"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """All declared features and filters."""

    features: tuple[Feature, ...]
    filters: tuple[Filter, ...]

    def columns(self) -> dict[str, Column]:
        """Everything a rule may use, by name."""
        own = [
            Column(
                name=item.name,
                type="number",
                about=item.about,
                origin="attribute" if item.aggregate == "attribute" else "history",
            )
            for item in self.features
        ]
        return {column.name: column for column in (*transaction_columns(), *own)}

    def select(self, names: Iterable[str]) -> tuple[Stage, ...]:
        """The stages that compute the named features; names of other columns are passed over.

        The card's stage is always there: it finds repeats and late transactions, and keeps the
        card's last place, so that a rule set that asks for travel later finds the right one. Where
        the card travelled from is in every plan that asks about its travel: an investigator needs
        both ends.
        """
        chosen = self._choose(frozenset(names))
        drafts = [self._stage(entity, chosen, is_attributes=kind) for entity, kind in ORDER]
        return self._joined([one for one in drafts if one.features or one.entity == "card"])

    def _choose(self, names: frozenset[str]) -> list[Feature]:
        chosen = [feature for feature in self.features if feature.name in names]
        if any(feature.aggregate.startswith("travel") for feature in chosen):
            chosen = [
                feature
                for feature in self.features
                if feature.name in names or feature.aggregate in ORIGIN_OF_TRAVEL
            ]
        if len(chosen) > MOST_FEATURES:
            msg = f"{len(chosen)} features are asked for - at most {MOST_FEATURES} in one job"
            raise FeaturesError(msg)
        return chosen

    def _joined(self, stages: list[Stage]) -> tuple[Stage, ...]:
        """The stages, each knowing what the others put into the row that they share."""
        filters = {item.name for stage in stages for item in stage.filters}
        categories = {name for stage in stages for name in stage.categories}
        is_mixed = any(stage.mixes_cards for stage in stages)
        firsts = accumulate((len(stage.features) for stage in stages), initial=0)
        return tuple(
            replace(
                stage,
                first_feature=first,
                is_numbering=is_mixed and stage.entity == "card",
                all_filters=tuple(item.name for item in self.filters if item.name in filters),
                all_categories=tuple(name for name in CATEGORIES if name in categories),
            )
            for first, stage in zip(firsts, stages, strict=False)
        )

    def _stage(self, entity: Entity, chosen: list[Feature], *, is_attributes: bool) -> Stage:
        features = tuple(
            feature
            for feature in chosen
            if feature.entity == entity and (feature.aggregate == "attribute") == is_attributes
        )
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


def card_stage(stages: Iterable[Stage]) -> Stage:
    """The one of the card, which every selection has."""
    return next(stage for stage in stages if stage.entity == "card")
