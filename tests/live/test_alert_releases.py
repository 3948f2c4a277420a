"""Two releases at the same indices: the older one puts nothing back."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from alert_index import MONTH, documents, fill
from alert_runs import alert_id, await_caught_up, make_alert, running, send

import sinks.alerts.run as sink
from pipelines.errors import SinkError
from sinks.alerts import template
from sinks.alerts.apply import apply_index
from sinks.alerts.differences import read_differences
from sinks.alerts.document import SCHEMA_VERSION
from sinks.alerts.template import apply_template

if TYPE_CHECKING:
    from collections.abc import Callable

    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings

pytestmark = pytest.mark.live


def test_older_release_puts_neither_template_nor_mapping_back_and_says_so(
    settings: Settings,
    index: Elasticsearch,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alias = settings.elasticsearch.index
    fill(settings, 1)
    with monkeypatch.context() as later:
        later.setattr(template, "SCHEMA_VERSION", SCHEMA_VERSION + 1)
        later.setattr(template, "read_parts", with_refresh_interval("7s"))
        apply_index(settings, reindex=False)
        assert read_differences(settings) == []
    theirs = index.indices.get_index_template(name=alias).body
    send(settings, make_alert(0, 2))

    said = f"has schema version {SCHEMA_VERSION + 1}, this release has {SCHEMA_VERSION}.*Run that"
    with pytest.raises(SinkError, match=said):
        sink.run(settings, stop=threading.Event())
    for change in (
        lambda: apply_template(settings),
        lambda: apply_index(settings, reindex=False),
        lambda: apply_index(settings, reindex=True, months=[MONTH]),
    ):
        with pytest.raises(SinkError, match=said):
            change()

    assert index.indices.get_index_template(name=alias).body == theirs
    assert read_refresh_interval(index, settings) == "7s"
    assert read_differences(settings)[0].remedy == "by hand"
    # As the sentence says: back for good.
    index.indices.delete_index_template(name=alias)
    with running(settings):
        await_caught_up(settings)
    assert documents(index, settings)[alert_id(0)]["fraud"]["sequence"] == 2
    assert [one.what for one in read_differences(settings)] == ["index.refresh_interval"]


def with_refresh_interval(value: str) -> Callable[[], dict[str, object]]:
    parts = template.read_parts()
    changed = {**parts, "settings": {**parts["settings"], "refresh_interval": value}}
    return lambda: changed


def read_refresh_interval(index: Elasticsearch, settings: Settings) -> str:
    name = f"{settings.elasticsearch.index}-{MONTH}"
    found = index.indices.get_settings(index=name, flat_settings=True)
    return str(found[name]["settings"]["index.refresh_interval"])
