"""The roles to take over speak of the very indices that the sink writes."""

from __future__ import annotations

import re
from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path

import pytest
import yaml

from pipelines.settings import ElasticsearchSettings
from sinks.alerts.index_lock import name_lock
from sinks.alerts.indices import name_copy, name_discard, name_token
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
        names = [one for granted in role["indices"] for one in granted["names"]]
        assert names[:-1] == [index, *name_patterns(index)], name


COPY = name_copy("fraud-alerts", date(2026, 11, 1), 12)


@pytest.mark.parametrize(
    ("index", "roles"),
    [
        ("fraud-alerts", {"admin", "sink", "investigator", "reader"}),
        ("fraud-alerts-1970.01", {"admin", "sink", "investigator", "reader"}),
        ("fraud-alerts-2026.11", {"admin", "sink", "investigator", "reader"}),
        (COPY, {"admin", "sink", "investigator", "reader"}),
        # While it is written, it is the admin's alone.
        (name_token(COPY), {"admin"}),
        (name_discard(COPY), {"admin"}),
        (name_lock("fraud-alerts"), {"admin"}),
        # Another index beside ours, and a month of it built anew.
        ("fraud-alerts-eu-2026.11", set()),
        ("fraud-alerts-retail", set()),
        ("fraud-alerts-retail-2026.11", set()),
        ("fraud-alerts-retail-r2.2026.11", set()),
    ],
)
def test_roles_reach_months_built_anew_and_no_index_of_another_name(
    index: str, roles: set[str]
) -> None:
    found = yaml.safe_load(ROLES.read_text(encoding="utf-8"))
    reached = {
        name.removeprefix("fraudlake_")
        for name, role in found.items()
        for granted in role["indices"]
        if any(is_meant(pattern, index) for pattern in granted["names"])
    }
    assert reached == roles


def is_meant(pattern: str, index: str) -> bool:
    """As Elasticsearch reads it: between slashes a regular expression, else with wildcards."""
    if pattern.startswith("/") and pattern.endswith("/"):
        return re.fullmatch(pattern[1:-1], index) is not None
    return fnmatchcase(index, pattern)


def test_sink_makes_no_index_of_a_month_built_anew() -> None:
    roles = yaml.safe_load(ROLES.read_text(encoding="utf-8"))
    months, anew = roles["fraudlake_sink"]["indices"]
    assert months["privileges"] == ["create_index", "index", "view_index_metadata"]
    assert anew["privileges"] == ["index", "view_index_metadata"]


def test_only_the_admin_may_change_templates() -> None:
    roles = yaml.safe_load(ROLES.read_text(encoding="utf-8"))
    cluster = {name: role.get("cluster", []) for name, role in roles.items()}
    assert cluster == {
        "fraudlake_admin": ["monitor", "manage_index_templates"],
        "fraudlake_sink": ["monitor"],
        "fraudlake_investigator": [],
        "fraudlake_reader": [],
    }
