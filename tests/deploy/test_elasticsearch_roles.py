"""The roles to take over speak of the very indices that the sink writes."""

from __future__ import annotations

from pathlib import Path

import yaml

from pipelines.settings import ElasticsearchSettings
from sinks.alerts.template import name_patterns

ROLES = Path(__file__).parents[2] / "deploy" / "elasticsearch" / "roles.yml"


def test_every_role_is_for_the_alias_and_the_months_and_nothing_else() -> None:
    roles = yaml.safe_load(ROLES.read_text(encoding="utf-8"))
    index = ElasticsearchSettings().index
    assert set(roles) == {
        "fraudlake_admin",
        "fraudlake_sink",
        "fraudlake_investigator",
        "fraudlake_reader",
    }
    for name, role in roles.items():
        (granted,) = role["indices"]
        assert granted["names"] == [index, *name_patterns(index)], name


def test_only_the_admin_may_change_templates() -> None:
    roles = yaml.safe_load(ROLES.read_text(encoding="utf-8"))
    cluster = {name: role.get("cluster", []) for name, role in roles.items()}
    assert cluster == {
        "fraudlake_admin": ["monitor", "manage_index_templates"],
        "fraudlake_sink": ["monitor"],
        "fraudlake_investigator": [],
        "fraudlake_reader": [],
    }
