"""What investigators do with a case: take it, write a note, give a verdict.

Each edit names the state of the document that it was made for. If the sink, or somebody else, was
faster, the case is read again and the edit judged again: nobody's work is overwritten unseen. If
no answer comes, the edit may be there or not: the case is read before anything is sent again.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from elasticsearch import ApiError, ConflictError, Elasticsearch, NotFoundError, TransportError

from pipelines.card_numbers import find_card_numbers
from pipelines.errors import TerminalError, TransientError
from sinks.alerts.client import connect, explain
from sinks.alerts.document import name_index
from sinks.alerts.search import read_alert
from sinks.alerts.stored import list_notes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from pipelines.settings import Settings
    from sinks.alerts.stored import Case, Note, StoredAlert

TRIES = 10
"""A revision of the sink comes once in seconds; ten edits lost in a row are no accident."""
LONGEST_NOTE = 10_000
LONGEST_NAME = 256
SHORTEST_ID = 6
"""Fewer characters of an id may mean another alert tomorrow."""
REPEATED_WITHIN = timedelta(minutes=10)
"""The same words of the same person again, so soon, are the same note, sent once more."""
_UNSURE = frozenset({502, 503, 504})
"""Statuses by which somebody says that no answer came: as good as none."""
_CHANGED = (ConflictError, NotFoundError)
"""Not found: the document is gone, or not where it was."""

Change = Callable[["StoredAlert"], dict[str, object]]
"""The fields of the case that shall change; TerminalError when the case does not allow it."""


def assign(
    settings: Settings, alert_id: str, *, assignee: str | None, by: str, may_take_over: bool = False
) -> StoredAlert:
    """Give the case to ``assignee``, or back to nobody; TerminalError if somebody else has it.

    Who takes over a closed case may give another verdict; it stays closed.
    """
    _check_name(by)
    if assignee is not None:
        _check_name(assignee)

    def change(alert: StoredAlert) -> dict[str, object]:
        case = alert.case
        is_closed = case.status == "closed"
        if is_closed and (assignee is None or not may_take_over):
            raise _explain_closed(alert)
        if case.assignee not in {None, assignee, by} and not may_take_over:
            since = "" if case.assigned_at is None else f" since {_say_time(case.assigned_at)}"
            msg = (
                f"alert {alert.alert_id} is with {case.assignee}{since}. "
                "`--take-over` gives it away all the same"
            )
            raise TerminalError(msg)
        now = write_now()
        status = "open" if assignee is None else "in_progress"
        return {
            "assignee": assignee,
            "status": case.status if is_closed else status,
            "assigned_at": None if assignee is None else now,
            **_signed(by, now),
        }

    return edit_case(settings, alert_id, change)


def add_note(settings: Settings, alert_id: str, *, text: str, by: str) -> StoredAlert:
    """Write down ``text`` under the notes of the case, also when it is closed.

    The same words of the same person within ``REPEATED_WITHIN`` change nothing: whoever was told
    that there was no answer, and tries again, writes one note.
    """
    _check_name(by)
    if not text.strip() or len(text) > LONGEST_NOTE:
        msg = f"a note has 1 to {LONGEST_NOTE:,} characters, this one has {len(text.strip()):,}"
        raise TerminalError(msg)
    _check_text(text)
    refuse_card_numbers("the note", text)

    def change(alert: StoredAlert) -> dict[str, object]:
        now = write_now()
        # As they are stored: another tool's may have members that we do not know.
        notes = list_notes(alert.document["case"])
        if alert.case.notes and _is_repeated(alert.case.notes[-1], by=by, text=text):
            return {}
        return {"notes": [*notes, {"at": now, "by": by, "text": text}], **_signed(by, now)}

    return edit_case(settings, alert_id, change)


def find_case(settings: Settings, alert_id: str) -> StoredAlert:
    """The alert to work on; TerminalError unless ``alert_id`` names one beyond doubt."""
    if len(alert_id.strip()) < SHORTEST_ID:
        msg = (
            f"{alert_id!r} is too short to change an alert by: give at least {SHORTEST_ID} "
            "characters of its id, from `fraudlake alerts list`"
        )
        raise TerminalError(msg)
    return read_alert(settings, alert_id)


def edit_case(settings: Settings, alert_id: str, change: Change) -> StoredAlert:
    """Put the fields of ``change`` into the case; the alert as it is afterwards.

    TransientError when Elasticsearch is away. If it gives no answer, once, what was sent is looked
    for, and sent again only for the state that it was made for: so it is there once.
    """
    unanswered: dict[str, object] | None = None
    with connect(settings.elasticsearch) as client:
        for _ in range(TRIES):
            seen = find_case(settings, alert_id)
            if unanswered is not None and _holds(seen.document["case"], unanswered):
                return seen
            fields = change(seen)
            try:
                _write(client, settings, seen, fields)
            except _CHANGED:
                continue
            except (ApiError, TransportError) as error:
                is_unsure = isinstance(error, TransportError) or error.status_code in _UNSURE
                if not is_unsure or unanswered is not None:
                    raise explain(error, settings.elasticsearch) from error
                unanswered = fields
                continue
            return read_alert(settings, seen.alert_id)
    msg = f"alert {alert_id} was changed by others {TRIES} times in a row: try again"
    raise TransientError(msg)


def check_verdict(alert: StoredAlert, *, verdict: str, reason: str | None, by: str) -> None:
    """TerminalError when the case is somebody else's, unless it only repeats what they said."""
    _check_name(by)
    case = alert.case
    if not is_of_another(case, by):
        return
    take_over = f"`fraudlake alerts assign {alert.alert_id[:10]} {by} --take-over` takes it over"
    if case.status != "closed" or case.verdict != verdict:
        msg = (
            f"alert {alert.alert_id} is with {case.assignee}: a verdict is theirs to give. "
            f"{take_over}"
        )
        raise TerminalError(msg)
    if reason not in {None, case.reason}:
        msg = (
            f"the verdict on alert {alert.alert_id} is {case.assignee}'s, and so is its reason. "
            f"Without --reason the payments since then are labelled; {take_over}"
        )
        raise TerminalError(msg)


def refuse_card_numbers(what: str, text: str) -> None:
    """TerminalError, which does not repeat it, when ``text`` holds what looks like a card number.

    Everybody who works on alerts reads what stands in a case, and a reason goes to the lakehouse
    with its labels: none of them is a place for card numbers.
    """
    if found := find_card_numbers(text):
        digits = found[0]
        msg = (
            f"{what} holds what looks like a card number ({len(digits)} digits, the last four are "
            f"{digits[-4:]}), and many people can read it there: nothing was written. Leave the "
            "number out, or give its last four digits; the alert itself names the card"
        )
        raise TerminalError(msg)


def is_of_another(case: Case, by: str) -> bool:
    """Whether somebody else than ``by`` has the case."""
    return case.assignee not in {None, by}


def write_now() -> str:
    """This moment, as documents have it."""
    return write_time(datetime.now(UTC))


def write_time(moment: datetime) -> str:
    """RFC 3339 with milliseconds."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _write(
    client: Elasticsearch, settings: Settings, seen: StoredAlert, fields: dict[str, object]
) -> None:
    client.update(
        # As the sink names it: the index itself may be another one by now, and Elasticsearch makes
        # up an index that is gone.
        index=name_index(settings.elasticsearch.index, seen.opened_at),
        id=seen.alert_id,
        doc={"case": fields},
        if_seq_no=seen.version.seq_no,
        if_primary_term=seen.version.primary_term,
        refresh=True,
    )


def _holds(case: Mapping[str, Any], fields: Mapping[str, Any]) -> bool:
    """Whether the case has what was sent; what others wrote into it since is no matter."""
    if "notes" in fields:
        sent: list[Mapping[str, Any]] = fields["notes"]
        return list_notes(case)[: len(sent)] == sent
    return all(
        _holds(case.get(name) or {}, value) if isinstance(value, dict) else case.get(name) == value
        for name, value in fields.items()
    )


def _is_repeated(last: Note, *, by: str, text: str) -> bool:
    is_same = (last.by, last.text) == (by, text)
    return is_same and last.at is not None and datetime.now(UTC) - last.at < REPEATED_WITHIN


def _signed(by: str, now: str) -> dict[str, object]:
    return {"updated_by": by, "updated_at": now}


def _explain_closed(alert: StoredAlert) -> TerminalError:
    return TerminalError(
        f"alert {alert.alert_id} is closed (verdict {alert.case.verdict}) and cannot be reopened. "
        "`--take-over` gives it to somebody who may then give another verdict"
    )


def _check_text(text: str) -> None:
    found = [one for one in text if unicodedata.category(one) == "Cc" and one not in "\n\t"]
    if found:
        msg = (
            f"a note has no control characters but newline and tab, this one has {found[0]!r}: "
            "leave it out"
        )
        raise TerminalError(msg)


def _check_name(name: str) -> None:
    refuse_card_numbers("the name", name)  # before it is repeated
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        msg = f"{name[:40]!r} is no name: 1 to {LONGEST_NAME} printable characters"
        raise TerminalError(msg)


def _say_time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
