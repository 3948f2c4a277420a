"""An alert as the index holds it: what the sink wrote, and the case that people added."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from pipelines.errors import SinkError
from sinks.alerts.alert import FiredRule, OpeningDecision
from sinks.alerts.document import SCHEMA_VERSION
from sinks.alerts.travel import Place, Travel

if TYPE_CHECKING:
    from collections.abc import Mapping

STATUSES = ("open", "in_progress", "closed")
VERDICTS = ("fraud", "genuine")


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What somebody wrote down."""

    at: datetime | None
    by: str | None
    """Both None where another tool left them out."""
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictLabel:
    """What became of the verdict on its way to the ``labels`` topic."""

    id: str
    state: str
    """``pending`` until the labels of ``sending`` are known to be in the topic, then ``sent``."""
    at: datetime
    transactions: tuple[str, ...]
    """Those of which the topic has this verdict."""
    sending: tuple[str, ...]
    hits: int
    """Flagged payments of the alert when the verdict was given, or given again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What people know and decided of an alert; the sink writes it once, fresh."""

    status: str
    assignee: str | None
    verdict: str | None
    reason: str | None
    notes: tuple[Note, ...]
    assigned_at: datetime | None
    updated_at: datetime | None
    updated_by: str | None
    closed_at: datetime | None
    label: VerdictLabel | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One state of one document: an edit that names it fails if there is a newer one."""

    index: str
    seq_no: int
    primary_term: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredAlert:
    """The newest revision of an alert and its case."""

    alert_id: str
    version: Version
    opened_at: datetime
    updated_at: datetime
    card_id: str
    customer_id: str
    band: str
    score: float
    money_at_risk: float
    currency: str
    hits: int
    """Flagged payments so far."""
    sequence: int
    ruleset: str
    rules: tuple[FiredRule, ...]
    opening: OpeningDecision
    latest: Mapping[str, object]
    travel: Travel | None
    features: Mapping[str, float | None]
    case: Case
    document: Mapping[str, Any]

    @property
    def grown_by(self) -> int:
        """Flagged payments since the verdict; 0 without a verdict, or when none are labelled."""
        label = self.case.label
        return 0 if self.case.verdict is None or label is None else max(0, self.hits - label.hits)


def read_hit(hit: Mapping[str, Any]) -> StoredAlert:
    """The alert of a search hit or a get; SinkError, which names it, when it cannot be read."""
    document = hit["_source"]
    try:
        return _read(hit, document)
    except (KeyError, TypeError, ValueError) as error:
        msg = (
            f"document {hit['_id']} of {hit['_index']} cannot be read: {type(error).__name__} "
            f"{error}. {_explain_unreadable(document)}"
        )
        raise SinkError(msg) from error


def _read(hit: Mapping[str, Any], document: Mapping[str, Any]) -> StoredAlert:
    fraud, event, rule = document["fraud"], document["event"], document["rule"]
    opening = fraud["opening"]
    return StoredAlert(
        alert_id=str(hit["_id"]),
        version=Version(
            index=str(hit["_index"]),
            seq_no=int(hit["_seq_no"]),
            primary_term=int(hit["_primary_term"]),
        ),
        opened_at=datetime.fromisoformat(event["start"]),
        updated_at=datetime.fromisoformat(event["end"]),
        card_id=fraud["card_id"],
        customer_id=document["user"]["id"],
        band=fraud["band"],
        score=float(fraud["score"]),
        money_at_risk=float(fraud["money_at_risk"]),
        currency=fraud["currency"],
        hits=int(fraud["hits"]),
        sequence=int(fraud["sequence"]),
        ruleset=f"{rule['ruleset']}@{rule['version']}",
        rules=tuple(_read_rule(one) for one in fraud["rules"]),
        opening=OpeningDecision(
            decision_id=opening["decision_id"],
            transaction_id=opening["transaction_id"],
            event_time=datetime.fromisoformat(opening["event_time"]),
        ),
        latest=_read_latest(document),
        travel=_read_travel(fraud.get("travel")),
        features=fraud["features"][0] if fraud["features"] else {},
        case=read_case(document["case"]),
        document=document,
    )


def _explain_unreadable(document: Mapping[str, Any]) -> str:
    """Who may have written it, and what helps."""
    sink = document.get("sink")
    written = sink.get("schema_version") if isinstance(sink, dict) else None
    if not isinstance(written, int):
        return "It has no schema version: another tool wrote it; delete it, or put it right"
    if written > SCHEMA_VERSION:
        return (
            f"It has schema version {written}, this release has {SCHEMA_VERSION}: a later release "
            "wrote it; run that one"
        )
    if written < SCHEMA_VERSION:
        return (
            f"It has schema version {written}, this release has {SCHEMA_VERSION}: an older release "
            "wrote it, or another tool has changed it; let the sink write it again, into another "
            "FRAUDLAKE_ELASTICSEARCH_INDEX"
        )
    return f"It has schema version {written}, as this release: another tool has changed it"


def _read_rule(rule: Mapping[str, Any]) -> FiredRule:
    """What we know of a rule; members that a later release added are skipped."""
    return FiredRule(
        id=rule["id"],
        weight=rule["weight"],
        observed=rule.get("observed"),
        limit=rule.get("limit"),
        because=rule["because"],
    )


def read_case(case: Mapping[str, Any]) -> Case:
    """A case; fields that another tool left out are empty."""
    label = case.get("label")
    return Case(
        status=case["status"],
        assignee=case.get("assignee"),
        verdict=case.get("verdict"),
        reason=case.get("reason"),
        notes=tuple(_read_note(note) for note in list_notes(case)),
        assigned_at=_time_or_none(case.get("assigned_at")),
        updated_at=_time_or_none(case.get("updated_at")),
        updated_by=case.get("updated_by"),
        closed_at=_time_or_none(case.get("closed_at")),
        label=None if label is None else _read_label(label),
    )


def list_notes(case: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The notes of a case as they are stored; for Elasticsearch, one alone is as good as a list."""
    notes = case.get("notes") or []
    return list(notes) if isinstance(notes, list) else [notes]


def _read_note(note: Mapping[str, Any]) -> Note:
    return Note(at=_time_or_none(note.get("at")), by=note.get("by"), text=note["text"])


def _read_label(label: Mapping[str, Any]) -> VerdictLabel:
    transactions = tuple(label.get("transactions") or ())
    sending = tuple(label.get("sending") or ())
    hits = label.get("hits")
    return VerdictLabel(
        id=label["id"],
        state=label["state"],
        at=datetime.fromisoformat(label["at"]),
        transactions=transactions,
        sending=sending,
        # Releases before this field had it from the labels.
        hits=len({*transactions, *sending}) if hits is None else int(hits),
    )


def _read_latest(document: Mapping[str, Any]) -> dict[str, object]:
    """The payment as it was sent, less what only the machine asks for."""
    latest = cast("Mapping[str, object]", document["fraud"]["latest"])
    beside = {
        "device_id": document["device"]["id"],
        "ip_address": document["source"]["ip"],
        **_degrees(document["source"]["geo"]["location"]),
    }
    return {**latest, **beside}


def _degrees(point: Mapping[str, float] | None) -> dict[str, object]:
    return {} if point is None else {"latitude": point["lat"], "longitude": point["lon"]}


def _read_travel(travel: Mapping[str, Any] | None) -> Travel | None:
    if travel is None:
        return None
    return Travel(
        start=Place(latitude=travel["from"]["lat"], longitude=travel["from"]["lon"]),
        end=Place(latitude=travel["to"]["lat"], longitude=travel["to"]["lon"]),
        km=travel["km"],
        kmh=travel["kmh"],
        gap_min=travel["gap_min"],
    )


def _time_or_none(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
