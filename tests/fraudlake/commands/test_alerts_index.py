"""``fraudlake alerts diff | apply | expire`` as people call them; the cluster is not asked."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from fraudlake.cli import app
from sinks.alerts import apply, differences, index_lock, retention
from sinks.alerts.apply import Applied
from sinks.alerts.differences import Difference
from sinks.alerts.rebuild import Rebuilt
from sinks.alerts.retention import Expiry, Fate, Judged, MonthFigures

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from click.testing import Result

ADDED = Difference(
    index="fraud-alerts-2026.11",
    about="mapping",
    what="case.team",
    text="case.team (keyword) is new",
    remedy="in place",
)
CHANGED = Difference(
    index="fraud-alerts-2026.11",
    about="mapping",
    what="fraud.hits",
    text="fraud.hits is long, shall be double",
    remedy="new index",
)
REBUILT = Rebuilt(
    plain_name="fraud-alerts-2026.11",
    name="fraud-alerts-r2.2026.11",
    documents=1204,
    closed_seconds=0.24,
)


@pytest.fixture(autouse=True)
def held(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """For which work the lock was held."""
    works: list[str] = []

    @contextmanager
    def hold(_settings: object, work: str, *, say: object) -> Iterator[Callable[[], None]]:
        works.append(work)
        yield lambda: None

    monkeypatch.setattr(index_lock, "hold_indices", hold)
    return works


def run(*words: str) -> Result:
    return CliRunner().invoke(app, ["alerts", *words])


@pytest.mark.parametrize(
    ("found", "code", "said"),
    [
        ([], 0, "the indices are what they should be\n"),
        (
            [ADDED, CHANGED],
            1,
            "fraud-alerts-2026.11: case.team (keyword) is new\n"
            "fraud-alerts-2026.11: fraud.hits is long, shall be double (needs a new index)\n",
        ),
    ],
)
def test_diff_names_differences_and_its_code_says_whether_there_are_any(
    found: list[Difference], code: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(differences, "read_differences", lambda _: found)

    shown = run("diff")
    machine = run("diff", "--json")

    assert (shown.exit_code, shown.output) == (code, said)
    assert machine.exit_code == code
    assert [one["what"] for one in json.loads(machine.output)["differences"]] == [
        one.what for one in found
    ]


def answer_apply(monkeypatch: pytest.MonkeyPatch, **applied: Any) -> list[tuple[bool, list[str]]]:
    asked: list[tuple[bool, list[str]]] = []

    def answer(_: object, *, reindex: bool, months: list[str], **_others: object) -> Applied:
        asked.append((reindex, list(months)))
        return Applied(**applied)

    monkeypatch.setattr(apply, "apply_index", answer)
    return asked


def test_apply_names_what_it_left_and_how_to_do_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer_apply(monkeypatch, done=[ADDED], left=[CHANGED])

    shown = run("apply")

    assert asked == [(False, [])]
    assert shown.exit_code == 1
    assert shown.output.splitlines() == [
        "fraud-alerts-2026.11: case.team (keyword) is new: done",
        "fraud-alerts-2026.11: fraud.hits is long, shall be double (needs a new index)",
        "left as it is. `fraudlake alerts apply --reindex` does it, while everything runs",
    ]


def test_apply_tells_of_the_new_index(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer_apply(monkeypatch, rebuilt=[REBUILT])

    shown = run("apply", "--reindex")
    machine = run("apply", "--reindex", "--month", "2026.11", "--json")

    assert asked == [(True, []), (True, ["2026.11"])]
    assert shown.exit_code == 0
    assert shown.output == (
        "fraud-alerts-2026.11 is fraud-alerts-r2.2026.11 now: 1,204 alerts, "
        "closed to writing for 0.2 s\n"
    )
    assert json.loads(machine.output)["rebuilt"][0]["documents"] == 1204


def test_month_without_leave_to_build_it_anew_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = answer_apply(monkeypatch)

    assert run("apply", "--month", "2026.11").exit_code == 2
    assert asked == []


def test_apply_finds_nothing_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    answer_apply(monkeypatch)

    shown = run("apply")

    assert shown.exit_code == 0
    assert "nothing was done" in shown.output


@pytest.mark.parametrize(("words", "code"), [((), 1), (("--reindex",), 0)])
def test_dry_run_only_asks(
    words: tuple[str, ...], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = answer_apply(monkeypatch)
    monkeypatch.setattr(differences, "read_differences", lambda _: [ADDED, CHANGED])

    shown = run("apply", "--dry-run", *words)

    assert asked == []
    assert shown.exit_code == code
    assert "case.team (keyword) is new\n" in shown.output
    assert shown.output.endswith("(needs a new index)\nnothing was done\n")


@pytest.mark.parametrize("verb", ["apply", "expire"])
def test_what_changes_the_indices_holds_the_lock_and_what_only_asks_does_not(
    verb: str, held: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answer_apply(monkeypatch)
    monkeypatch.setattr(
        retention, "expire_months", lambda *_, **__: Expiry(before=(), after=(), deleted=())
    )
    monkeypatch.setattr(differences, "read_differences", lambda _: [])
    monkeypatch.setattr(retention, "read_retention", lambda *_, **__: [])

    assert run(verb, "--dry-run").exit_code == 0
    assert held == []
    assert run(verb).exit_code == 0
    assert held == [f"fraudlake alerts {verb}"]


def judged(number: int, fate: Fate, **figures: int) -> Judged:
    name = f"fraud-alerts-2026.{number:02d}"
    values = {"documents": 1204, "not_closed": 0, "labels_pending": 0, "unfinished": 0, **figures}
    return Judged(
        figures=MonthFigures(
            name=name,
            plain_name=name,
            month=date(2026, number, 1),
            documents=values["documents"],
            not_closed=values["not_closed"],
            labels_pending=values["labels_pending"],
            unfinished=values["unfinished"],
        ),
        fate=fate,
    )


MONTHS = (
    judged(1, Fate.EXPIRED),
    judged(2, Fate.UNFINISHED, not_closed=3, labels_pending=1, unfinished=4),
    judged(10, Fate.YOUNG),
    judged(11, Fate.NEWEST),
)


def test_expire_shows_each_month_and_why_it_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def answer(_: object, *, keep_months: int, **_others: object) -> Expiry:
        asked.append(keep_months)
        return Expiry(before=MONTHS, after=MONTHS[1:], deleted=(MONTHS[0].figures.name,))

    monkeypatch.setattr(retention, "expire_months", answer)

    shown = run("expire")
    run("expire", "--months", "6")
    machine = json.loads(run("expire", "--months", "6", "--json").output)

    assert asked == [13, 6, 6]
    assert shown.exit_code == 0
    lines = [" ".join(line.split()) for line in shown.output.splitlines()]
    assert lines == [
        "month alerts not closed labels to send",
        "2026-01 1,204 → 0 0 0 deleted",
        "2026-02 1,204 3 1 kept: 4 unfinished",
        "2026-10 1,204 0 0 kept: within 13 months",
        "2026-11 1,204 0 0 kept: the newest",
    ]
    assert machine["deleted"] == ["fraud-alerts-2026.01"]
    assert machine["before"][1]["fate"] == "unfinished"
    assert machine["before"][1]["figures"]["month"] == "2026-02-01"


def test_expire_names_a_closed_month_and_counts_nothing_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    closed = judged(1, Fate.CLOSED, documents=0)
    closed = replace(closed, figures=replace(closed.figures, is_closed=True))
    monkeypatch.setattr(retention, "read_retention", lambda *_, **__: [closed, *MONTHS[2:]])

    shown = run("expire", "--dry-run")

    assert shown.exit_code == 0
    lines = [" ".join(line.split()) for line in shown.output.splitlines()]
    assert lines[1] == "2026-01 ? ? ? kept: closed by `_close`"


def test_expire_dry_run_only_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "read_retention", lambda *_, **__: list(MONTHS))

    shown = run("expire", "--dry-run")

    assert shown.exit_code == 0
    assert "can be deleted" in shown.output
    assert shown.output.endswith("nothing was done\n")
