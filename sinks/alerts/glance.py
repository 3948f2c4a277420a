"""One cheap look at the alert index: how many alerts, and whether there is a template."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sinks.alerts.client import connect, translate_errors
from sinks.alerts.template import read_stored

if TYPE_CHECKING:
    from pipelines.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexGlance:
    """The index as it is."""

    alerts: int
    """That a search finds; what was written within the last second may be missing."""
    has_template: bool
    """One of ours, of this release or another."""


def look_at_index(settings: Settings, *, seconds: float) -> IndexGlance:
    """Look; TransientError if Elasticsearch does not answer in time, SinkError if it refuses."""
    index = settings.elasticsearch
    with connect(index, request_seconds=seconds) as client, translate_errors(index):
        found = client.count(index=index.index, ignore_unavailable=True)
        return IndexGlance(
            alerts=int(found["count"]),
            has_template=read_stored(client, index.index) is not None,
        )
