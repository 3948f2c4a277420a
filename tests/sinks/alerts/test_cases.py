from __future__ import annotations

from typing import Any

import pytest
from stored_alerts import ALERT_ID, make_stored

from pipelines.errors import TerminalError
from pipelines.settings import Settings
from sinks.alerts.cases import add_note, check_verdict, find_case

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


@pytest.mark.parametrize("short", ["", "      ", "01234"])
def test_few_characters_name_no_alert_to_work_on(short: str) -> None:
    with pytest.raises(TerminalError, match="at least 6 characters"):
        find_case(Settings.from_env({}), short)
