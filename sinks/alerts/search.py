"""Reading the alert index: for people (newest first, one whole), for checks (count, origins).

Before the first alert there is no index; that reads as no alerts, not as an error. So does a month
that somebody has closed: who shows alerts or counts them also says which are (``explain_closed``).
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from elasticsearch import ApiError, AuthorizationException, Elasticsearch, TransportError

from pipelines.errors import SinkError, TerminalError
from sinks.alerts.client import connect, translate_errors
from sinks.alerts.document import Origin
from sinks.alerts.growth import grown_query
from sinks.alerts.indices import read_closed, say_closed
from sinks.alerts.stored import StoredAlert, read_hit

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from pipelines.settings import Settings
    from sinks.alerts.indices import MonthIndex

PAGE = 5_000
_KEEP_ALIVE = "2m"
_IDS = 1_000
"""So many documents are asked for at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which alerts; what is None does not matter."""

    status: str | None = None
    band: str | None = None
    rule: str | None = None
    assignee: str | None = None
    card_id: str | None = None
    label_state: str | None = None
    grown: bool = False
    """Only closed ones with payments since their verdict."""

    def query(self) -> dict[str, Any]:
        """As Elasticsearch asks it."""
        terms = {
            "case.status": self.status,
            "fraud.band": self.band,
            "rule.id": self.rule,
            "case.assignee": self.assignee,
            "fraud.card_id": self.card_id,
            "case.label.state": self.label_state,
        }
        filters: list[dict[str, Any]] = [
            {"term": {name: value}} for name, value in terms.items() if value is not None
        ]
        if self.grown:
            filters.append(grown_query())
        return {"bool": {"filter": filters}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A document that is none of ours, or no longer."""

    alert_id: str
    error: SinkError
    """Names it, and says what helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """What a search for alerts has found."""

    alerts: list[StoredAlert]
    unreadable: list[Unreadable] = field(default_factory=list)
    """These hold up nobody: the others are found all the same."""
    total: int
    """How many there are, those beyond the limit included."""


def read_index_count(settings: Settings) -> int:
    """The number of alerts in the index, everything written so far included."""
    index = settings.elasticsearch.index
    with connect(settings.elasticsearch) as client, translate_errors(settings.elasticsearch):
        refresh_index(client, index)
        return int(client.count(index=index, ignore_unavailable=True)["count"])


def read_origins(settings: Settings) -> Iterator[tuple[str, Origin]]:
    """The id of every alert in the index and the record its newest revision came from.

    As of one moment, in no particular order; an id in two months' indices comes twice.
    """
    index = settings.elasticsearch.index
    with connect(settings.elasticsearch) as client, translate_errors(settings.elasticsearch):
        refresh_index(client, index)
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


def count_documents(settings: Settings, alert_ids: Collection[str]) -> Counter[str]:
    """How many documents there are of each of these alerts, everything written so far included."""
    index = settings.elasticsearch.index
    wanted, found = sorted(alert_ids), Counter[str]()
    with connect(settings.elasticsearch) as client, translate_errors(settings.elasticsearch):
        refresh_index(client, index)
        for begin in range(0, len(wanted), _IDS):
            chunk = wanted[begin : begin + _IDS]
            answer = client.search(
                index=index,
                query={"ids": {"values": chunk}},
                size=2 * _IDS,  # room for those that are in two months
                source=False,
                ignore_unavailable=True,
            )
            found.update(str(hit["_id"]) for hit in answer["hits"]["hits"])
    return found


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
            allow_partial_search_results=False,
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


def read_closed_months(settings: Settings) -> tuple[MonthIndex, ...]:
    """The months that somebody has closed: nothing in this module sees their alerts."""
    with connect(settings.elasticsearch) as client, translate_errors(settings.elasticsearch):
        return read_closed(client, settings.elasticsearch.index)


def explain_closed(settings: Settings) -> str | None:
    """Which months somebody has closed, in a sentence; None if none is."""
    closed = read_closed_months(settings)
    return say_closed([one.name for one in closed]) if closed else None


def list_alerts(settings: Settings, wanted: Wanted, *, limit: int) -> Listed:
    """The alerts that are wanted, those opened last first."""
    answer = _search(settings, wanted.query(), limit=limit)
    alerts: list[StoredAlert] = []
    unreadable: list[Unreadable] = []
    for hit in answer["hits"]:
        try:
            alerts.append(read_hit(hit))
        except SinkError as error:
            unreadable.append(Unreadable(alert_id=str(hit["_id"]), error=error))
    return Listed(alerts=alerts, unreadable=unreadable, total=int(answer["total"]["value"]))


def read_alert(settings: Settings, alert_id: str) -> StoredAlert:
    """The alert whose id is, or begins with, ``alert_id``; TerminalError unless there is one.

    Everything that was written so far is seen, also what was written a moment ago.
    """
    if not alert_id.strip():
        msg = "an empty id names no alert: see `fraudlake alerts list`"
        raise TerminalError(msg)
    refresh(settings)
    found = _search(settings, {"prefix": {"event.id": alert_id.lower()}}, limit=2)["hits"]
    if not found:
        msg = f"no alert {alert_id} in {settings.elasticsearch.index}: see `fraudlake alerts list`"
        closed = explain_closed(settings)
        raise TerminalError(msg if closed is None else f"{msg}. {closed}")
    if len(found) > 1:
        ids = ", ".join(str(hit["_id"]) for hit in found)
        msg = f"more than one alert begins with {alert_id} ({ids}, ...): give more of the id"
        raise TerminalError(msg)
    return read_hit(found[0])


def refresh(settings: Settings) -> None:
    """Make everything that was written so far visible to searches."""
    with connect(settings.elasticsearch) as client, translate_errors(settings.elasticsearch):
        refresh_index(client, settings.elasticsearch.index)


def refresh_index(client: Elasticsearch, index: str) -> None:
    """As ``refresh``, with a client at hand.

    Who may only read may not ask for it, and sees what was written up to a second ago.
    """
    with suppress(AuthorizationException):
        client.indices.refresh(index=index, ignore_unavailable=True)


def _search(settings: Settings, query: Mapping[str, Any], *, limit: int) -> Mapping[str, Any]:
    """The hits as Elasticsearch answers them, and how many there are."""
    with connect(settings.elasticsearch) as client, translate_errors(settings.elasticsearch):
        answer = client.search(
            index=settings.elasticsearch.index,
            query=query,
            size=limit,
            sort=[
                {"@timestamp": {"order": "desc", "unmapped_type": "date"}},
                {"event.id": {"order": "asc", "unmapped_type": "keyword"}},
            ],
            seq_no_primary_term=True,
            track_total_hits=True,
            ignore_unavailable=True,
            allow_partial_search_results=False,
        )
    return dict(answer["hits"])
