"""The declared features: read from ``features.toml``, and cut down to what a rule set needs."""

from pipelines.features.declared import Features
from pipelines.features.loading import load_features
from pipelines.features.stage import Entity, Feature, Filter, Kind, Stage

__all__ = ["Entity", "Feature", "Features", "Filter", "Kind", "Stage", "load_features"]
