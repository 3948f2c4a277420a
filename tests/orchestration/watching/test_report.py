"""What a look becomes: events where something is new, and a line that reads like a log."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from glances import AWAY, NO_JOB, NOW, broker, glance, head, job, notes, stream

from orchestration.keys import JOB, table_key
from orchestration.watching.cursor import Cursor
from orchestration.watching.glance import Glance, Trouble
from orchestration.watching.report import Report
from orchestration.watching.report import report as report_to
from orchestration.watching.told import Told

if TYPE_CHECKING:
    from collections.abc import Mapping

MINUTE = timedelta(minutes=1)
TOLD = Told(rows=988, read_up_to="0:990")
"""What the table of ``glance`` is like."""


def report(
    seen: Glance,
    cursor: Cursor,
    *,
    told: Told | None = None,
    materialized: Mapping[dg.AssetKey, float] | None = None,
) -> Report:
    return report_to(seen, cursor, {} if told is None else {"decisions": told}, materialized or {})


def keys(found: Report, kind: type) -> list[str]:
    return [one.asset_key.to_user_string() for one in found.events if isinstance(one, kind)]


def after(cursor: Cursor) -> Cursor:
    """As the next tick gets it."""
    return Cursor.from_json(cursor.to_json())


def test_first_look_reports_everything() -> None:
    found = report(glance(), Cursor())

    assert keys(found, dg.AssetMaterialization) == ["iceberg/decisions"]
    assert keys(found, dg.AssetObservation) == [
        "flink/fraud_detection",
        "kafka/transactions",
        "kafka/dead_letters",
        "elasticsearch/fraud_alerts",
    ]
    assert len(keys(found, dg.AssetCheckEvaluation)) == 10
    assert found.sentence == (
        "job RUNNING, newest checkpoint 1 s old; 12 transactions wait; 988 decisions stored; "
        "9 alerts"
    )


def test_second_look_repeats_nothing_that_has_not_changed() -> None:
    first = report(glance(), Cursor())
    second = report(glance(at=NOW + MINUTE), after(first.cursor), told=TOLD)

    assert keys(second, dg.AssetMaterialization) == []
    assert keys(second, dg.AssetCheckEvaluation) == []
    assert keys(second, dg.AssetObservation) == ["flink/fraud_detection"]


def test_commit_and_intake_are_new_with_their_figures() -> None:
    first = report(glance(), Cursor())
    grown = broker(ends={"transactions": {0: 700, 1: 420}, "dead_letters": {0: 3}})
    seen = glance(at=NOW + MINUTE, broker=grown, lake=[head(snapshot_id=8, rows=1108)])
    second = report(seen, after(first.cursor), told=TOLD)

    # Dagster shows a check as not evaluated if its asset was materialized after it.
    assert keys(second, dg.AssetCheckEvaluation) == ["iceberg/decisions"]
    kinds = [type(one) for one in second.events if one.asset_key == table_key("decisions")]
    assert kinds == [dg.AssetMaterialization, dg.AssetCheckEvaluation]
    (commit,) = [one for one in second.events if isinstance(one, dg.AssetMaterialization)]
    assert commit.metadata["dagster/row_count"].value == 1108
    assert commit.metadata["snapshot"].value == "8"
    assert commit.metadata["read up to"].value == "0:990"
    observed = {
        one.asset_key.to_user_string(): one.metadata
        for one in second.events
        if isinstance(one, dg.AssetObservation)
    }
    # 120 records in 60 seconds.
    assert observed["kafka/transactions"]["records a second"].value == 2.0
    assert observed["kafka/transactions"]["end offset"].value == 1120
    assert "12 transactions wait at 2/s; 1,108 decisions stored" in second.sentence


@pytest.mark.parametrize(
    ("changed", "is_new"),
    [
        ({"snapshot_id": 8}, False),  # compacted: the same rows in other files
        ({"snapshot_id": 8, "rows": 987}, True),  # somebody has deleted one
        ({"snapshot_id": 8, "next_offsets": {0: 991}}, True),
        ({"snapshot_id": 8, "next_offsets": {1: 0, 0: 990}}, True),
        ({"snapshot_id": None, "rows": 0}, False),
    ],
)
def test_table_is_new_when_its_sink_moved_or_rows_changed_and_not_after_upkeep(
    changed: dict[str, Any], is_new: bool
) -> None:
    found = report(glance(lake=[replace(head(), **changed)]), Cursor(), told=TOLD)
    assert keys(found, dg.AssetMaterialization) == (["iceberg/decisions"] if is_new else [])


def test_check_is_reported_when_it_changes_and_now_and_then() -> None:
    first = report(glance(), Cursor())
    behind = report(
        glance(at=NOW + MINUTE, broker=broker(job_lag=50_000)), after(first.cursor), told=TOLD
    )
    (changed,) = [one for one in behind.events if isinstance(one, dg.AssetCheckEvaluation)]
    assert (changed.check_name, changed.passed) == ("lag_in_budget", False)
    assert changed.severity is dg.AssetCheckSeverity.WARN

    later = report(glance(at=NOW + 6 * MINUTE), after(first.cursor), told=TOLD)
    assert len(keys(later, dg.AssetCheckEvaluation)) == 10


def test_checks_of_what_was_materialized_since_are_told_again() -> None:
    """Dagster shows them as not evaluated, and did so for up to five minutes."""
    first = report(glance(), Cursor())
    at = (NOW + MINUTE / 2).timestamp()
    second = report(glance(at=NOW + MINUTE), after(first.cursor), told=TOLD, materialized={JOB: at})
    assert keys(second, dg.AssetCheckEvaluation) == ["flink/fraud_detection"] * 5

    third = report(
        glance(at=NOW + 2 * MINUTE), after(second.cursor), told=TOLD, materialized={JOB: at}
    )
    assert keys(third, dg.AssetCheckEvaluation) == []


def everything_away() -> Glance:
    return glance(
        stream=AWAY,
        broker=Trouble(sentence="no Kafka broker answers at k"),
        index=Trouble(sentence="Elasticsearch at e does not answer"),
        lake=Trouble(sentence="the lakehouse did not answer within 5 s"),
    )


def test_what_is_away_is_said_in_words_and_what_was_known_stays_known() -> None:
    first = report(glance(), Cursor())
    dark = report(replace(everything_away(), at=NOW + MINUTE), after(first.cursor))

    assert dark.sentence == (
        "no Flink cluster answers at http://flink; no Kafka broker answers at k; "
        "Elasticsearch at e does not answer; the lakehouse did not answer within 5 s"
    )
    assert keys(dark, dg.AssetMaterialization) == []
    assert dark.incident.repair_key is None
    # One look that misses judges nothing; the second does.
    assert keys(dark, dg.AssetCheckEvaluation) == []
    darker = report(replace(everything_away(), at=NOW + 2 * MINUTE), after(dark.cursor))
    told = [one for one in darker.events if isinstance(one, dg.AssetCheckEvaluation)]
    assert len(told) == 10
    assert not any(one.passed for one in told)
    # Nothing is new when they are back.
    back = report(glance(at=NOW + 2 * MINUTE), after(dark.cursor), told=TOLD)
    assert keys(back, dg.AssetMaterialization) == []


def test_publication_that_cannot_be_read_is_said_in_the_tick() -> None:
    damaged = Trouble(sentence="active.json does not say which rule set is in force. Publish one")
    found = report(glance(notes=notes(published=damaged)), Cursor())
    assert found.sentence.startswith("job RUNNING")
    assert found.sentence.endswith("active.json does not say which rule set is in force")


def test_repair_is_remembered_for_the_next_look() -> None:
    ended = glance(stream=stream(job("CANCELED")))
    first = report(ended, Cursor())
    assert first.incident.repair_key is not None
    second = report(replace(ended, at=NOW + MINUTE), after(first.cursor))
    assert second.incident.repair_key is None
    assert second.cursor.repairs == (NOW.timestamp(),)


def test_absence_is_timed_from_its_first_sight_and_ends_with_it() -> None:
    first = report(glance(stream=NO_JOB), Cursor())
    second = report(glance(stream=NO_JOB, at=NOW + MINUTE), after(first.cursor))
    assert second.cursor.absent_since == NOW.timestamp()
    assert second.incident.repair_key == "a1:unknown"
    assert report(glance(), after(second.cursor)).cursor.absent_since is None


def test_cursor_of_another_layout_is_begun_anew() -> None:
    assert Cursor.from_json('{"version": 0, "seen": 1}') == Cursor()
    assert Cursor.from_json(None) == Cursor()
