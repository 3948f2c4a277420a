"""Investigators at work on cases: nothing is overwritten, every payment is labelled once."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from alert_index import get
from case_work import (
    GIVE_UP_SECONDS,
    ID,
    payments_of,
    read_labels,
    revise,
    said,
    say,
)
from typer.testing import CliRunner

from fraudlake.cli import app
from pipelines.errors import TerminalError
from sinks.alerts import cases
from sinks.alerts.search import Wanted, list_alerts, read_alert, refresh
from sinks.alerts.verdicts import give_verdict

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings
    from sinks.alerts.stored import StoredAlert

pytestmark = pytest.mark.live


@pytest.fixture
def alert(settings: Settings, index: Elasticsearch) -> str:
    """One alert of two payments, open; its index goes with the test."""
    revise(settings, 1, payments=2)
    assert get(index, settings, 1)["_source"]["case"]["status"] == "open"
    return ID


def test_notes_of_two_editors_at_once_both_stay(settings: Settings, alert: str) -> None:
    meet = threading.Barrier(2)

    def write(name: str) -> None:
        meet.wait(GIVE_UP_SECONDS)
        for number in range(3):
            cases.add_note(settings, alert, text=f"{name} {number}", by=name)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, ("ann", "ben")))

    notes = read_alert(settings, alert).case.notes
    assert sorted(note.text for note in notes) == [
        f"{n} {i}" for n in ("ann", "ben") for i in (0, 1, 2)
    ]


def test_revision_between_reading_and_writing_loses_neither(settings: Settings, alert: str) -> None:
    seen: list[int] = []

    def change(found: StoredAlert) -> dict[str, object]:
        seen.append(found.sequence)
        if len(seen) == 1:
            revise(settings, 2, payments=3)
        return {"reason": f"seen at revision {found.sequence}"}

    after = cases.edit_case(settings, alert, change)

    assert seen == [1, 2]
    assert (after.sequence, after.hits) == (2, 3)
    assert after.case.reason == "seen at revision 2"


def test_alert_of_another_is_given_away_only_when_that_is_said(
    settings: Settings, alert: str
) -> None:
    cases.assign(settings, alert, assignee="ann", by="ann")

    with pytest.raises(TerminalError, match=r"is with ann since .* `--take-over`"):
        cases.assign(settings, alert, assignee="ben", by="ben")
    assert read_alert(settings, alert).case.assignee == "ann"

    cases.assign(settings, alert, assignee="ben", by="ben", may_take_over=True)
    assert read_alert(settings, alert).case.assignee == "ben"


def test_verdict_labels_each_payment_once_and_what_came_since(
    settings: Settings, alert: str
) -> None:
    assert say(settings, "fraud", reason="holder denies") == 2
    assert say(settings, "fraud") == 0
    assert said(settings) == [("tx-0", "fraud"), ("tx-1", "fraud")]

    revise(settings, 2, payments=3)
    assert say(settings, "fraud") == 1

    labels = read_labels(settings)
    assert [one.transaction_id for one in labels] == ["tx-0", "tx-1", "tx-2"]
    assert {(one.label, one.reason, one.card_id) for one in labels} == {
        ("fraud", "holder denies", "card-1")
    }


def test_payments_after_the_verdict_are_found_until_they_are_labelled(
    settings: Settings, alert: str
) -> None:
    """They join the closed alert, and once no list of what waits had it."""
    grown = Wanted(grown=True)
    say(settings, "genuine")
    assert list_alerts(settings, grown, limit=9).total == 0

    revise(settings, 2, payments=3)
    refresh(settings)  # else a list may be a second behind

    [found] = list_alerts(settings, grown, limit=9).alerts
    assert (found.alert_id, found.grown_by, found.case.verdict) == (alert, 1, "genuine")
    listed = CliRunner().invoke(app, ["alerts", "list", "--grown"], env=settings.to_env())
    assert "1 payment since the verdict" in listed.stdout

    say(settings, "genuine")
    assert list_alerts(settings, grown, limit=9).total == 0


def test_document_of_another_hand_is_named_and_takes_the_queue_from_nobody(
    settings: Settings, alert: str, index: Elasticsearch
) -> None:
    month = read_alert(settings, alert).version.index
    odd = {"@timestamp": "2026-11-01T00:00:00Z", "event": {"id": "odd"}, "case": {"status": "open"}}
    index.index(index=month, id="odd", document=odd, refresh=True)

    listed = CliRunner().invoke(app, ["alerts", "list", "--json"], env=settings.to_env())

    assert listed.exit_code == 1
    assert [one["event"]["id"] for one in json.loads(listed.stdout)] == [alert]
    assert listed.stderr.startswith(f"document odd of {month} cannot be read: ")
    few = CliRunner().invoke(app, ["alerts", "list", "--limit", "1"], env=settings.to_env())
    assert "1 of 2: `--limit` shows more" in few.stderr


def test_note_is_added_to_one_that_another_tool_wrote(
    settings: Settings, alert: str, index: Elasticsearch
) -> None:
    """A single note, unsigned and with a member of its own, stays as it is."""
    theirs = {"text": "holder moved", "mood": "good"}
    month = read_alert(settings, alert).version.index
    index.update(index=month, id=alert, doc={"case": {"notes": theirs}}, refresh=True)

    cases.add_note(settings, alert, text="called", by="ann")

    notes = get(index, settings, 1)["_source"]["case"]["notes"]
    assert notes[0] == theirs
    assert (notes[1]["text"], notes[1]["by"], len(notes)) == ("called", "ann", 2)


def test_payment_that_came_twice_is_labelled_once(settings: Settings, alert: str) -> None:
    """As when a repetition comes so late that the job no longer knows the first."""
    revise(settings, 2, payments=3)

    given = give_verdict(
        settings,
        alert,
        verdict="fraud",
        reason=None,
        by="ann",
        payments_of=lambda found: [*payments_of(found)[:2], payments_of(found)[0]],
    )

    assert given.labels == 2
    assert said(settings) == [("tx-0", "fraud"), ("tx-1", "fraud")]


def test_another_verdict_corrects_all(settings: Settings, alert: str) -> None:
    say(settings, "fraud")
    revise(settings, 2, payments=3)

    assert say(settings, "genuine", reason="was the holder") == 3

    assert said(settings) == [
        ("tx-0", "fraud"),
        ("tx-1", "fraud"),
        ("tx-0", "genuine"),
        ("tx-1", "genuine"),
        ("tx-2", "genuine"),
    ]
    case = read_alert(settings, alert).case
    assert (case.status, case.verdict, case.reason) == ("closed", "genuine", "was the holder")


def test_same_verdict_of_a_colleague_leaves_it_whose_it_is(settings: Settings, alert: str) -> None:
    say(settings, "fraud", by="ann", reason="holder denies")
    before = read_alert(settings, alert).case
    revise(settings, 2, payments=3)

    with pytest.raises(TerminalError, match=r"the verdict on alert .* is ann's, and so is its"):
        say(settings, "fraud", by="ben", reason="looks odd")
    with pytest.raises(TerminalError, match="with ann: a verdict is theirs to give"):
        say(settings, "genuine", by="ben")
    assert say(settings, "fraud", by="ben") == 1

    after = read_alert(settings, alert).case
    assert (after.reason, after.updated_by, after.assignee) == ("holder denies", "ann", "ann")
    assert (after.closed_at, after.updated_at) == (before.closed_at, before.updated_at)
    assert [one.reason for one in read_labels(settings)] == ["holder denies"] * 3


def test_who_takes_a_closed_case_over_may_correct_it(settings: Settings, alert: str) -> None:
    say(settings, "fraud", by="ann")

    with pytest.raises(TerminalError, match=r"is closed .* `--take-over` gives it to"):
        cases.assign(settings, alert, assignee="ben", by="ben")
    taken = cases.assign(settings, alert, assignee="ben", by="ben", may_take_over=True)
    assert (taken.case.status, taken.case.verdict) == ("closed", "fraud")

    assert say(settings, "genuine", by="ben") == 2


def test_few_characters_change_no_case(settings: Settings, alert: str) -> None:
    for short in ("", "  ", ID[:5]):
        with pytest.raises(TerminalError, match="too short to change an alert by"):
            cases.add_note(settings, short, text="a note", by="ann")
        with pytest.raises(TerminalError, match="too short to change an alert by"):
            give_verdict(
                settings, short, verdict="fraud", reason=None, by="ann", payments_of=payments_of
            )
    with pytest.raises(TerminalError, match="an empty id names no alert"):
        read_alert(settings, "")

    assert read_alert(settings, alert).case.notes == ()
    assert cases.add_note(settings, ID[:6], text="a note", by="ann").alert_id == alert
