"""Reading the alert index: for people (newest first, one whole), for checks (count, origins).

Before the first alert there is no index; that reads as no alerts, not as an error.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from elasticsearch import ApiError, Elasticsearch, TransportError

from pipelines.errors import TerminalError
from sinks.alerts.alert import Alert, parse_alert
from sinks.alerts.client import connect, translate_errors
from sinks.alerts.document import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pipelines.settings import Settings

PAGE = 5_000
_KEEP_ALIVE = "2m"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAlert:
    """An alert of the index: its newest revision, and the document as Elasticsearch holds it."""

    alert: Alert
    status: str
    assignee: str | None
    document: Mapping[str, Any]


def read_index_count(settings: Settings) -> int:
    """The number of alerts in the index, everything written so far included."""
    index = settings.elasticsearch.index
    with connect(settings.elasticsearch) as client, translate_errors(settings.elasticsearch):
        client.indices.refresh(index=index, ignore_unavailable=True)
        return int(client.count(index=index, ignore_unavailable=True)["count"])


def read_origins(settings: Settings) -> Iterator[tuple[str, Origin]]:
    """The id of every alert in the index and the record its newest revision came from.

    As of one moment, in no particular order; an id in two months' indices comes twice.
    """
    index = settings.elasticsearch.index
    with connect(settings.elasticsearch) as client, translate_errors(settings.elasticsearch):
        client.indices.refresh(index=index, ignore_unavailable=True)
        opened = client.open_point_in_time(
            index=index, keep_alive=_KEEP_ALIVE, ignore_unavailable=True
        )
        pit = str(opened["id"])
        try:
            yield from _page_origins(client, pit)
        finally:
            # It ends by itself too; a failure here says nothing about the ids.
            with suppress(ApiError, TransportError):
                client.close_point_in_time(id=pit)


def _page_origins(client: Elasticsearch, pit: str) -> Iterator[tuple[str, Origin]]:
    after: list[Any] | None = None
    while True:
        page = client.search(
            pit={"id": pit, "keep_alive": _KEEP_ALIVE},
            size=PAGE,
            sort=["_shard_doc"],
            search_after=after,
            source={"includes": ["sink.topic", "sink.partition", "sink.offset"]},
            track_total_hits=False,
        )
        hits = page["hits"]["hits"]
        if not hits:
            return
        for hit in hits:
            sink = hit["_source"]["sink"]
            origin = Origin(
                topic=str(sink["topic"]), partition=sink["partition"], offset=sink["offset"]
            )
            yield str(hit["_id"]), origin
        after = hits[-1]["sort"]


def list_alerts(settings: Settings, *, limit: int, band: str | None = None) -> list[StoredAlert]:
    """The alerts opened last, newest first; ``band`` leaves only that one."""
    query = {"match_all": {}} if band is None else {"term": {"fraud.band": band}}
    return _search(settings, query, limit=limit)


def read_alert(settings: Settings, alert_id: str) -> StoredAlert:
    """The alert whose id is, or begins with, ``alert_id``; TerminalError unless there is one."""
    found = _search(settings, {"prefix": {"event.id": alert_id.lower()}}, limit=2)
    if not found:
        msg = f"no alert {alert_id} in {settings.elasticsearch.index}: see `fraudlake alerts`"
        raise TerminalError(msg)
    if len(found) > 1:
        ids = ", ".join(one.alert.alert_id for one in found)
        msg = f"more than one alert begins with {alert_id} ({ids}, ...): give more of the id"
        raise TerminalError(msg)
    return found[0]


def _search(settings: Settings, query: Mapping[str, Any], *, limit: int) -> list[StoredAlert]:
    with connect(settings.elasticsearch) as client, translate_errors(settings.elasticsearch):
        answer = client.search(
            index=settings.elasticsearch.index,
            query=query,
            size=limit,
            sort=[
                {"@timestamp": {"order": "desc", "unmapped_type": "date"}},
                {"event.id": {"order": "asc", "unmapped_type": "keyword"}},
            ],
            ignore_unavailable=True,
        )
    return [_read_hit(hit["_source"]) for hit in answer["hits"]["hits"]]


def _read_hit(document: Mapping[str, Any]) -> StoredAlert:
    case = document["case"]
    return StoredAlert(
        alert=parse_alert(document["event"]["original"].encode()),
        status=str(case["status"]),
        assignee=case["assignee"],
        document=document,
    )
