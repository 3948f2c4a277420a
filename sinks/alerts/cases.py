"""What investigators do with a case: take it, write a note, give a verdict.

Each edit names the state of the document that it was made for. If the sink, or somebody else, was
faster, the case is read again and the edit judged again: nobody's work is overwritten unseen.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from elasticsearch import ConflictError, NotFoundError

from pipelines.errors import TerminalError, TransientError
from sinks.alerts.client import connect, translate_errors
from sinks.alerts.document import name_index
from sinks.alerts.search import read_alert

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from sinks.alerts.stored import Case, Note, StoredAlert

TRIES = 10
"""A revision of the sink comes once in seconds; ten edits lost in a row are no accident."""
LONGEST_NOTE = 10_000
LONGEST_NAME = 256
_CHANGED = (ConflictError, NotFoundError)
"""Not found: the document is gone, or not where it was."""

Change = Callable[["StoredAlert"], dict[str, object]]
"""The fields of the case that shall change; TerminalError when the case does not allow it."""


def assign(
    settings: Settings, alert_id: str, *, assignee: str | None, by: str, may_take_over: bool = False
) -> StoredAlert:
    """Give the case to ``assignee``, or back to nobody; TerminalError if somebody else has it."""
    _check_name(by)
    if assignee is not None:
        _check_name(assignee)

    def change(alert: StoredAlert) -> dict[str, object]:
        case = alert.case
        _check_open(alert)
        if case.assignee not in {None, assignee, by} and not may_take_over:
            since = "" if case.assigned_at is None else f" since {_say_time(case.assigned_at)}"
            msg = (
                f"alert {alert.alert_id} is with {case.assignee}{since}. "
                "`--take-over` gives it away all the same"
            )
            raise TerminalError(msg)
        now = write_now()
        return {
            "assignee": assignee,
            "status": "open" if assignee is None else "in_progress",
            "assigned_at": None if assignee is None else now,
            **_signed(by, now),
        }

    return edit_case(settings, alert_id, change)


def add_note(settings: Settings, alert_id: str, *, text: str, by: str) -> StoredAlert:
    """Write down ``text`` under the notes of the case, also when it is closed."""
    _check_name(by)
    if not text.strip() or len(text) > LONGEST_NOTE:
        msg = f"a note has 1 to {LONGEST_NOTE:,} characters, this one has {len(text.strip()):,}"
        raise TerminalError(msg)

    def change(alert: StoredAlert) -> dict[str, object]:
        now = write_now()
        notes = [write_note(note) for note in alert.case.notes]
        return {"notes": [*notes, {"at": now, "by": by, "text": text}], **_signed(by, now)}

    return edit_case(settings, alert_id, change)


def edit_case(settings: Settings, alert_id: str, change: Change) -> StoredAlert:
    """Put the fields of ``change`` into the case; the alert as it is afterwards."""
    with connect(settings.elasticsearch) as client:
        for _ in range(TRIES):
            seen = read_alert(settings, alert_id)
            fields = change(seen)
            try:
                with translate_errors(settings.elasticsearch, passing=_CHANGED):
                    client.update(
                        # As the sink names it: the index itself may be another one by now, and
                        # Elasticsearch makes up an index that is gone.
                        index=name_index(settings.elasticsearch.index, seen.opened_at),
                        id=seen.alert_id,
                        doc={"case": fields},
                        if_seq_no=seen.version.seq_no,
                        if_primary_term=seen.version.primary_term,
                        refresh=True,
                    )
            except _CHANGED:
                continue
            return read_alert(settings, seen.alert_id)
    msg = f"alert {alert_id} was changed by others {TRIES} times in a row: try again"
    raise TransientError(msg)


def check_verdict(case: Case, *, verdict: str, by: str, alert_id: str) -> None:
    """TerminalError when the case is somebody else's."""
    _check_name(by)
    if case.assignee not in {None, by} and case.verdict != verdict:
        msg = (
            f"alert {alert_id} is with {case.assignee}: a verdict is theirs to give. "
            f"`fraudlake alerts assign {alert_id[:10]} {by} --take-over` takes it over"
        )
        raise TerminalError(msg)


def write_note(note: Note) -> dict[str, object]:
    """As the document has it."""
    return {"at": write_time(note.at), "by": note.by, "text": note.text}


def write_now() -> str:
    """This moment, as documents have it."""
    return write_time(datetime.now(UTC))


def write_time(moment: datetime) -> str:
    """RFC 3339 with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _signed(by: str, now: str) -> dict[str, object]:
    return {"updated_by": by, "updated_at": now}


def _check_open(alert: StoredAlert) -> None:
    if alert.case.status == "closed":
        msg = (
            f"alert {alert.alert_id} is closed (verdict {alert.case.verdict}). "
            "Another verdict can still be given"
        )
        raise TerminalError(msg)


def _check_name(name: str) -> None:
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        msg = f"{name[:40]!r} is no name: 1 to {LONGEST_NAME} printable characters"
        raise TerminalError(msg)


def _say_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
