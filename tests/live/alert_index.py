"""What the index of a live test holds, and filling it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from alert_runs import alert_id, await_caught_up, make_alert, running, send

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings

MONTH = "2026.11"


def get(index: Elasticsearch, settings: Settings, number: int) -> dict[str, Any]:
    name = f"{settings.elasticsearch.index}-2026.11"
    return dict(index.get(index=name, id=alert_id(number)))


def fill(settings: Settings, count: int, **changes: Any) -> None:
    """Let the sink write ``count`` alerts."""
    send(settings, *(make_alert(number, 1, **changes) for number in range(count)))
    with running(settings):
        await_caught_up(settings)


def names(index: Elasticsearch, settings: Settings) -> list[str]:
    """The indices there are, without the alias at their beginning."""
    stem = settings.elasticsearch.index
    return sorted(name.removeprefix(f"{stem}-") for name in index.indices.get(index=f"{stem}-*"))


def documents(index: Elasticsearch, settings: Settings) -> dict[str, dict[str, Any]]:
    """What a search through the alias finds; fails if it finds an alert twice."""
    index.indices.refresh(index=settings.elasticsearch.index)
    found = index.search(index=settings.elasticsearch.index, size=10_000)["hits"]["hits"]
    assert len(found) == len({hit["_id"] for hit in found})
    return {hit["_id"]: hit["_source"] for hit in found}
