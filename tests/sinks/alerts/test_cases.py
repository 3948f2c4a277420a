from __future__ import annotations

import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig
from elasticsearch import ConflictError, ConnectionTimeout
from stored_alerts import ALERT_ID, make_stored

from pipelines.errors import TerminalError, TransientError
from pipelines.settings import Settings
from sinks.alerts import cases
from sinks.alerts.cases import add_note, assign, check_verdict, find_case
from sinks.alerts.stored import read_case
from sinks.alerts.verdicts import give_verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from sinks.alerts.stored import StoredAlert

ANNS = {"status": "closed", "assignee": "ann", "verdict": "fraud", "reason": "card lost"}


@pytest.mark.parametrize(
    ("case", "verdict", "reason"),
    [
        ({}, "fraud", "odd"),
        ({"status": "in_progress", "assignee": "ben"}, "fraud", "odd"),
        ({**ANNS, "assignee": "ben"}, "genuine", "odd"),
        (ANNS, "fraud", None),
        (ANNS, "fraud", "card lost"),
    ],
    ids=["nobody's", "one's own", "a correction", "the same again", "the same in so many words"],
)
def test_verdict_is_allowed(case: dict[str, Any], verdict: str, reason: str | None) -> None:
    check_verdict(make_stored(**case), verdict=verdict, reason=reason, by="ben")


@pytest.mark.parametrize(
    ("case", "verdict", "reason", "said"),
    [
        ({"status": "in_progress", "assignee": "ann"}, "fraud", None, "a verdict is theirs"),
        (ANNS, "genuine", None, "a verdict is theirs"),
        # As another tool writes it: a verdict that nobody has given.
        ({**ANNS, "status": "open"}, "fraud", None, "a verdict is theirs"),
        (ANNS, "fraud", "odd", "is ann's, and so is its reason"),
    ],
    ids=["under work", "another", "not closed", "another reason"],
)
def test_verdict_on_a_colleagues_case_is_refused(
    case: dict[str, Any], verdict: str, reason: str | None, said: str
) -> None:
    with pytest.raises(TerminalError, match=said) as refused:
        check_verdict(make_stored(**case), verdict=verdict, reason=reason, by="ben")

    assert "`fraudlake alerts assign 0123456789 ben --take-over`" in str(refused.value)


@pytest.mark.parametrize("name", ["", " ", "a\x1b[2J", "a" * 257])
def test_verdict_needs_a_name(name: str) -> None:
    with pytest.raises(TerminalError, match="is no name"):
        check_verdict(make_stored(), verdict="fraud", reason=None, by=name)


@pytest.mark.parametrize("text", ["a\x1b[2Jb", "a\rb", "a\x9bb", "a\x00"])
def test_note_with_a_control_character_is_refused(text: str) -> None:
    with pytest.raises(TerminalError, match="no control characters but newline and tab"):
        add_note(Settings.from_env({}), ALERT_ID, text=text, by="ann")


@pytest.mark.parametrize("text", ["", " \n", "a" * 10_001])
def test_note_of_no_length_is_refused(text: str) -> None:
    with pytest.raises(TerminalError, match="a note has 1 to 10,000 characters"):
        add_note(Settings.from_env({}), ALERT_ID, text=text, by="ann")


CARD = "4111-1111 1111-1111"  # as a scheme publishes it for tests
# Nothing answers at this address: what is refused was not sent.
NOWHERE = Settings.from_env({"FRAUDLAKE_ELASTICSEARCH_URL": "http://127.0.0.1:9"})


@pytest.mark.parametrize(
    ("what", "write"),
    [
        ("note", lambda text: add_note(NOWHERE, ALERT_ID, text=text, by="ann")),
        ("name", lambda text: add_note(NOWHERE, ALERT_ID, text="called", by=text)),
        ("name", lambda text: assign(NOWHERE, ALERT_ID, assignee=text, by="ann")),
        ("name", lambda text: assign(NOWHERE, ALERT_ID, assignee=None, by=text)),
        ("reason", lambda text: close(reason=text, by="ann")),
        ("name", lambda text: check_verdict(make_stored(), verdict="fraud", reason=None, by=text)),
    ],
)
def test_card_number_is_refused_before_it_is_sent_and_is_not_repeated(
    what: str, write: Callable[[str], object]
) -> None:
    with pytest.raises(TerminalError) as refused:
        write(f"Holder read {CARD} to me")

    said = str(refused.value)
    assert said.startswith(f"the {what} holds what looks like a card number (16 digits, the last")
    assert "four are 1111" in said
    assert "nothing was written. Leave the number out" in said
    assert "4111" not in said


def close(*, reason: str, by: str) -> object:
    return give_verdict(
        NOWHERE, ALERT_ID, verdict="fraud", reason=reason, by=by, payments_of=lambda _: ()
    )


def test_what_people_write_every_day_is_no_card_number() -> None:
    said = "Called +49 170 1234567 at 2026-11-27 06:50, paid 1,250.75 EUR; see 0a1b2c3d4e5f 4111"
    for write in (
        lambda: add_note(NOWHERE, ALERT_ID, text=said, by="ann"),
        lambda: close(reason=said, by="ann"),
    ):
        with pytest.raises(TransientError, match="does not answer"):
            write()


@pytest.mark.parametrize("short", ["", "      ", "01234"])
def test_few_characters_name_no_alert_to_work_on(short: str) -> None:
    with pytest.raises(TerminalError, match="at least 6 characters"):
        find_case(Settings.from_env({}), short)


class UncertainIndex:
    """Holds one alert; of the next updates, each is carried out unheard, or not at all."""

    def __init__(self, *fates: str) -> None:
        self._fates = list(fates)
        self.case: dict[str, Any] = {"status": "open"}
        self.seq_no = 0
        self.updates = 0

    def __enter__(self) -> UncertainIndex:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self) -> StoredAlert:
        seen = replace(make_stored(), case=read_case(self.case))
        return replace(
            seen,
            version=replace(seen.version, seq_no=self.seq_no),
            document={"case": copy.deepcopy(self.case)},
        )

    def update(self, *, doc: dict[str, Any], if_seq_no: int, **_: object) -> None:
        self.updates += 1
        if if_seq_no != self.seq_no:
            raise ConflictError("conflict", META, {})  # type: ignore[arg-type]
        fate = self._fates.pop(0) if self._fates else "done"
        if fate != "lost":
            self.case |= doc["case"]
            self.seq_no += 1
        if fate == "done, then a note of ben's":
            note = {"at": "2026-11-30T12:00:00.000Z", "by": "ben", "text": "me too"}
            self.case["notes"] = [*self.case["notes"], note]
            self.case["updated_by"] = "ben"
            self.seq_no += 1
        if fate != "done":
            msg = "timed out"
            raise ConnectionTimeout(msg)


META = ApiResponseMeta(
    status=409,
    http_version="1.1",
    headers=HttpHeaders(),
    duration=0.0,
    node=NodeConfig(scheme="http", host="127.0.0.1", port=9),
)


def work_in(index: UncertainIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "connect", lambda _: index)
    monkeypatch.setattr(cases, "read_alert", lambda *_: index.read())


@pytest.mark.parametrize("fate", ["unheard", "lost", "done, then a note of ben's"])
def test_note_without_an_answer_is_there_once(fate: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its writer was told to try again, and the note was there twice."""
    index = UncertainIndex(fate)
    work_in(index, monkeypatch)

    add_note(NOWHERE, ALERT_ID, text="called", by="ann")

    assert [note["text"] for note in index.case["notes"]].count("called") == 1
    assert index.updates == (2 if fate == "lost" else 1)


def test_note_that_is_tried_again_by_hand_is_there_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Carried out late: when the case was read, and the writer told to try again, it was not in."""
    index = UncertainIndex("lost", "unheard")
    work_in(index, monkeypatch)
    with pytest.raises(TransientError, match="does not answer: timed out"):
        add_note(NOWHERE, ALERT_ID, text="called", by="ann")

    add_note(NOWHERE, ALERT_ID, text="called", by="ann")
    add_note(NOWHERE, ALERT_ID, text="called", by="ben")
    add_note(NOWHERE, ALERT_ID, text="called", by="ann")

    assert [note["by"] for note in index.case["notes"]] == ["ann", "ben", "ann"]


def test_assignment_without_an_answer_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    index = UncertainIndex("unheard")
    work_in(index, monkeypatch)

    assert assign(NOWHERE, ALERT_ID, assignee="ann", by="ann").case.assignee == "ann"
    assert index.updates == 1


def test_same_words_a_day_later_are_another_note(monkeypatch: pytest.MonkeyPatch) -> None:
    index = UncertainIndex()
    index.case["notes"] = [{"at": "2026-01-01T00:00:00Z", "by": "ann", "text": "called"}]
    work_in(index, monkeypatch)

    add_note(NOWHERE, ALERT_ID, text="called", by="ann")

    assert len(index.case["notes"]) == 2
