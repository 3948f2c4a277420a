"""``fraudlake lake`` as people call it: what it does, says and refuses."""

from __future__ import annotations

import fcntl
import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from fraudlake.cli import app
from pipelines.errors import FeaturesError, SinkError, TransientError
from pipelines.settings import Settings
from sinks.lakehouse.catalog import find_catalog, open_catalog
from sinks.lakehouse.ingest.ledger import Ledger
from sinks.lakehouse.ingest.records import Records
from sinks.lakehouse.ingest.rows import decode_rows
from sinks.lakehouse.position import Position
from sinks.lakehouse.schema import feature_names
from sinks.lakehouse.tables import LABELS

if TYPE_CHECKING:
    from pathlib import Path

COMMITS = 3


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stack home of this test alone, with nothing in it."""
    monkeypatch.setenv("FRAUDLAKE_STACK_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def stored(home: Path) -> Path:
    """Three commits of a label each, as the sink makes them."""
    run("apply")
    with open_catalog(Settings.from_env()) as catalog:
        for number in range(COMMITS):
            records = Records()
            label = {
                "transaction_id": f"t{number}",
                "card_id": f"c{number}",
                "merchant_id": "m1",
                "event_time": "2026-03-01T12:00:00Z",
                "label": "fraud",
                "source": "chargeback",
                "label_time": "2026-03-04T00:00:00Z",
            }
            records.add(value=json.dumps(label).encode(), partition=0, offset=number, time_ms=1)
            position = Position(
                cluster_id="c",
                topic_id="t",
                topic="labels",
                next_offsets={0: number + 1},
                dead_letters=0,
            )
            Ledger(catalog.load_table("fraud.labels")).commit(
                decode_rows(LABELS, records).rows, position
            )
    return home


def run(*words: str, exit_code: int = 0) -> str:
    done = CliRunner().invoke(app, ["lake", *words], catch_exceptions=False)
    assert done.exit_code == exit_code, done.output
    return done.stdout


def answer(*words: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*words, "--json"))
    return found


def test_tables_are_made_for_a_rule_set_and_then_are_as_they_should_be(home: Path) -> None:
    assert "decisions: a new table, split by day" in run("diff", exit_code=1)
    assert list(home.iterdir()) == []

    said = run("apply", "--ruleset", "speed", "--feature", "of_mine")

    assert "decisions: a new table, split by day\n" in said
    assert "features are added: " in said
    assert run("diff", "--ruleset", "speed") == "the tables are what they should be\n"
    assert "nothing was done" in run("apply", "--ruleset", "speed")
    with find_catalog(Settings.from_env()) as catalog:
        assert catalog is not None
        schema = catalog.load_table("fraud.decisions").schema()
    assert "of_mine" in feature_names(schema)
    assert "Speed" in (schema.find_field("features.travel_kmh").doc or "")


def test_a_feature_that_cannot_be_one_is_refused(home: Path) -> None:
    with pytest.raises(FeaturesError, match="'of mine' cannot be a feature's name"):
        run("apply", "--feature", "of mine")


def test_stats_show_each_table(stored: Path) -> None:
    tables = {one["table"]: one for one in answer("stats")["tables"]}

    assert set(tables) == {"decisions", "labels", "dead_letters", "rulesets"}
    labels = tables["labels"]
    assert (labels["rows"], labels["files"], labels["small_files"], labels["unsorted_files"]) == (
        3,
        3,
        3,
        3,
    )
    assert (labels["partitions"], labels["snapshots"], labels["delete_files"]) == (1, 3, 0)
    assert "labels" in run("stats", "--table", "labels")
    assert "decisions" not in run("stats", "--table", "labels")


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(stored: Path) -> None:
    before = sorted(path for path in stored.rglob("*") if "warehouse" in path.parts)

    report = answer("upkeep", "--dry-run")

    assert report["partitions_rewritten"] == 1
    assert sorted(path for path in stored.rglob("*") if "warehouse" in path.parts) == before


def test_upkeep_compacts_expires_and_shows_before_and_after(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAUDLAKE_LAKEHOUSE_KEEP_SNAPSHOTS", "1")

    report = answer("upkeep", "--table", "labels")

    (before,), (after,) = report["before"], report["after"]
    assert (before["files"], after["files"]) == (3, 1)
    assert (before["rows"], after["rows"]) == (3, 3)
    assert after["unsorted_files"] == 0
    assert (before["snapshots"], after["snapshots"]) == (3, 2)
    assert report["snapshots_expired"] == 2


def test_before_and_after_are_shown_side_by_side(stored: Path) -> None:
    lines = run("compact", "--table", "labels").splitlines()

    assert [line.split() for line in lines[:4]] == [
        ["labels"],
        ["rows", "3"],
        ["partitions", "1"],
        ["files", "3", "→", "1"],
    ]


def test_only_one_upkeep_runs_at_a_time(stored: Path) -> None:
    with (stored / "lakehouse" / "upkeep.lock").open("w") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        with pytest.raises(TransientError, match="an upkeep of this lakehouse is under way"):
            run("compact")


def test_a_lakehouse_or_table_that_is_not_there_is_said(home: Path) -> None:
    with pytest.raises(SinkError, match="no tables in namespace fraud yet"):
        run("stats")
    run("apply")
    with pytest.raises(SinkError, match="no table decision in namespace fraud; there are: dec"):
        run("compact", "--table", "decision")
