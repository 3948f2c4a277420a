"""Views, metadata and what a ready question is, over a history small enough to work out by hand."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest
from small_history import ask, store_history

from pipelines.errors import TerminalError
from sinks.lakehouse.questions import Parameter, read_question, ready_questions

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

    from pipelines.settings import Settings


@pytest.fixture
def history(catalog: Catalog) -> None:
    store_history(catalog)


@pytest.mark.usefixtures("history")
def test_a_label_is_what_was_known_at_the_moment_that_is_asked_for(lake_settings: Settings) -> None:
    question = "select transaction_id, is_duplicate, label from decisions_labelled order by all"

    def on(day: int) -> datetime:
        return datetime(2026, 3, day, tzinfo=UTC)

    assert ask(lake_settings, question) == [
        ("t-1", False, None),
        ("t-2", False, "fraud"),
        ("t-2", True, None),
        ("t-4", False, "fraud"),
        ("t-5", False, "genuine"),
    ]
    known = {
        day: [row[2] for row in ask(lake_settings, question, known_at=on(day))]
        for day in (2, 3, 4, 5)
    }
    assert known == {
        2: [None, None, None, None, None],
        3: [None, "genuine", None, None, None],
        4: [None, "genuine", None, None, "genuine"],
        5: [None, "fraud", None, None, "genuine"],
    }
    inside = "select count(is_fraud) from labelled_at(TIMESTAMPTZ '2026-03-04')"
    assert ask(lake_settings, inside) == [(2,)]


@pytest.mark.usefixtures("history")
def test_alerts_are_counted_by_day_and_band(lake_settings: Settings) -> None:
    rows = ask(
        lake_settings,
        "select day::varchar, band, alerts, decisions, cards, money from alerts_by_day order by 1",
    )

    assert rows == [
        ("2026-03-01", "block", 1, 1, 1, Decimal("200.00")),
        ("2026-03-02", "review", 1, 1, 1, Decimal("30.00")),
    ]


def test_every_ready_question_says_what_it_is_for_and_declares_what_it_takes() -> None:
    for question in ready_questions():
        assert question.purpose.endswith((".", "?")), question.name
        body = "\n".join(line for line in question.sql.splitlines() if not line.startswith("--"))
        used = set(re.findall(r"\$([a-z_]+)", body))
        assert used == {one.name for one in question.parameters}, question.name


def test_a_question_is_read_from_its_first_lines() -> None:
    question = read_question(
        "q", "-- Why.\n-- $since time = 2026-03-01  From when.\n-- $who text  Who.\n\nSELECT $since"
    )

    assert question.purpose == "Why."
    assert question.parameters == (
        Parameter(name="since", type="time", default="2026-03-01", about="From when."),
        Parameter(name="who", type="text", default=None, about="Who."),
    )
    assert question.bind({"who": "me"}) == {
        "since": datetime(2026, 3, 1, tzinfo=UTC),
        "who": "me",
    }
    with pytest.raises(TerminalError, match="q needs who: --set who="):
        question.bind({})


@pytest.mark.usefixtures("history")
def test_what_iceberg_knows_can_be_asked(lake_settings: Settings) -> None:
    snapshots = "select table_name, made_by, added_rows, total_rows from meta.snapshots order by 1"
    positions = (
        "select table_name, topic, kafka_partition, next_offset from meta.positions order by 1"
    )
    files = "select table_name, partition, sum(rows)::int from meta.files group by all order by all"

    assert ask(lake_settings, snapshots) == [
        ("decisions", "sink", 5, 5),
        ("labels", "sink", 5, 5),
    ]
    assert ask(lake_settings, positions) == [
        ("decisions", "decisions", 0, 5),
        ("labels", "labels", 0, 5),
    ]
    assert ask(lake_settings, files) == [
        ("decisions", "event_time_day=2026-03-01", 3),
        ("decisions", "event_time_day=2026-03-02", 2),
        ("labels", "label_time_day=2026-03-03", 1),
        ("labels", "label_time_day=2026-03-04", 2),
        ("labels", "label_time_day=2026-03-05", 1),
        ("labels", "label_time_day=2026-03-09", 1),
    ]
    assert ask(lake_settings, "select count(*) from meta.manifests") == [(2,)]


@pytest.mark.usefixtures("history")
def test_ordinary_questions_read_no_metadata(
    lake_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr("sinks.lakehouse.query.metadata_views._read", refuse)

    question = "select count(*), 'meta.files' as text from decisions"
    assert ask(lake_settings, question) == [(5, "meta.files")]


@pytest.mark.usefixtures("history")
@pytest.mark.parametrize("name", ['"meta".files', 'META."Files"', "memory.meta.files"])
def test_metadata_is_found_however_its_name_is_written(lake_settings: Settings, name: str) -> None:
    assert ask(lake_settings, f"select sum(rows)::int from {name}") == [(10,)]
