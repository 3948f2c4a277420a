"""Everything that is put into Kibana, in the order in which it must be: views before dashboards."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pipelines.errors import TerminalError
from pipelines.hints import did_you_mean
from sinks.dashboards.alerting import alerting_rules
from sinks.dashboards.card import CARD
from sinks.dashboards.data_views import DATA_VIEWS
from sinks.dashboards.operations import OPERATIONS
from sinks.dashboards.queue import QUEUE
from sinks.dashboards.rules import RULES

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.settings import Settings
    from sinks.dashboards.dashboard import Dashboard
    from sinks.dashboards.fields import Json

DASHBOARDS = (QUEUE, CARD, RULES, OPERATIONS)
Kind = Literal["data view", "dashboard", "rule"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One thing to put into Kibana, as its API takes it."""

    kind: Kind
    id: str
    title: str
    name: str
    """Of its file, without ``.json``."""
    body: Json

    def to_text(self) -> str:
        """Its file."""
        return json.dumps(self.body, indent=2, ensure_ascii=False) + "\n"


def artifacts(settings: Settings) -> list[Artifact]:
    """All of it, for the index of the settings."""
    index = settings.elasticsearch.index
    views = [
        Artifact(
            kind="data view",
            id=view.id,
            title=view.name,
            name=f"data-view-{view.id.removeprefix('fraudlake-')}",
            body=view.to_json(index),
        )
        for view in DATA_VIEWS
    ]
    dashboards = [
        Artifact(
            kind="dashboard",
            id=dashboard.id,
            title=dashboard.title,
            name=f"dashboard-{dashboard.name}",
            body=dashboard.to_json(),
        )
        for dashboard in DASHBOARDS
    ]
    rules = [
        Artifact(
            kind="rule",
            id=rule.id,
            title=rule.title,
            name=f"rule-{rule.name}",
            body=rule.to_json(index),
        )
        for rule in alerting_rules(settings.kibana)
    ]
    return [*views, *dashboards, *rules]


def write_files(settings: Settings, folder: Path) -> list[Path]:
    """Each as a file in ``folder``, which is made; what they are called."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for artifact in artifacts(settings):
        path = folder / f"{artifact.name}.json"
        path.write_text(artifact.to_text(), encoding="utf-8")
        written.append(path)
    return written


def find_dashboard(name: str) -> Dashboard:
    """The dashboard of that name; TerminalError with the one that was meant, or all."""
    known = {dashboard.name: dashboard for dashboard in DASHBOARDS}
    if name not in known:
        msg = f"there is no dashboard {name}{did_you_mean(name, known)}"
        raise TerminalError(msg)
    return known[name]
