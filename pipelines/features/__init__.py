"""The declared features: read from ``features.toml``, and cut down to what a rule set needs."""

from pipelines.features.declared import Features, card_stage
from pipelines.features.loading import load_features
from pipelines.features.stage import KEY_COLUMNS, READ_VALUES, Entity, Feature, Filter, Kind, Stage

__all__ = [
    "KEY_COLUMNS",
    "READ_VALUES",
    "Entity",
    "Feature",
    "Features",
    "Filter",
    "Kind",
    "Stage",
    "card_stage",
    "load_features",
]
