"""Every version is recorded once, whoever else writes, and joins with what it decided."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from decision_records import decision_value, decisions_table
from kept_rulesets import (
    ARRIVED,
    RECORDED,
    TEXT,
    files_of,
    home_beside,
    keep_one,
    record,
    record_at_once,
    versions_in,
)
from small_history import ask, store

from sinks.lakehouse import rulesets as module
from sinks.lakehouse.heads import read_heads
from sinks.lakehouse.iceberg import PreparedSnapshot
from sinks.lakehouse.progress import read_progress
from sinks.lakehouse.query.opening import open_lake
from sinks.lakehouse.rulesets import Recorded
from sinks.lakehouse.schema import apply_changes
from sinks.lakehouse.tables import DECISIONS
from sinks.lakehouse.upkeep.round import keep_up

if TYPE_CHECKING:
    from pathlib import Path

    from pyiceberg.catalog import Catalog

    from pipelines.settings import Settings


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)


def snapshots(catalog: Catalog) -> int:
    return len(catalog.load_table("fraud.rulesets").snapshots())


def test_row_has_the_file_its_rules_and_when_it_came(
    lake_settings: Settings, catalog: Catalog
) -> None:
    version = keep_one(lake_settings, 2, origin="deployed")

    assert record(lake_settings) == Recorded(added=(version,), kept=1, rows=1)

    [row] = catalog.load_table("fraud.rulesets").scan().to_arrow().to_pylist()
    name, digest = version.split("@")
    assert row == {
        "ruleset": version,
        "id": name,
        "hash": digest,
        "description": "Two rules",
        "combine": "sum",
        "review_at": 1.5,
        "block_at": 3.0,
        "rules": [
            {
                "rule_id": "big",
                "owner": "risk",
                "state": "active",
                "weight": 2.0,
                "condition": "base_amount > 200",
                "because": "{base_amount:.2f} spent",
                "description": "",
            },
            {
                "rule_id": "odd",
                "owner": "web",
                "state": "shadow",
                "weight": 1.0,
                "condition": "amount < 1",
                "because": "small",
                "description": "Seen before",
            },
        ],
        "text": TEXT.format(weight=2),
        "published_at": ARRIVED,
        "origin": "deployed",
        "source": "mine.toml",
        "recorded_at": RECORDED,
    }


def test_what_is_there_is_not_written_again_and_what_is_new_is_added(
    lake_settings: Settings, catalog: Catalog
) -> None:
    first = keep_one(lake_settings, 2)
    record(lake_settings)
    before = (snapshots(catalog), files_of(catalog))

    assert record(lake_settings) == Recorded(added=(), kept=1, rows=1)
    assert (snapshots(catalog), files_of(catalog)) == before

    second = keep_one(lake_settings, 3)
    assert record(lake_settings) == Recorded(added=(second,), kept=2, rows=2)
    assert versions_in(catalog) == sorted([first, second])
    assert snapshots(catalog) == 2


def test_nothing_kept_makes_no_catalog(lake_settings: Settings) -> None:
    assert record(lake_settings) == Recorded(added=(), kept=0, rows=0)
    assert list(lake_settings.stack.home.iterdir()) == []


def test_version_whose_arrival_is_not_known_says_so(
    lake_settings: Settings, catalog: Catalog
) -> None:
    keep_one(lake_settings, 2)
    [arrival] = (lake_settings.stack.home / "rules").glob("*.json")
    arrival.unlink()

    record(lake_settings)

    [row] = catalog.load_table("fraud.rulesets").scan().to_arrow().to_pylist()
    assert (row["published_at"], row["origin"], row["source"]) == (None, None, None)
    assert row["recorded_at"] == RECORDED


def test_another_writer_between_look_and_commit_makes_us_look_again(
    lake_settings: Settings, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = [keep_one(lake_settings, weight) for weight in (2, 3)]
    other = home_beside(lake_settings, "other")
    theirs = [keep_one(other, weight) for weight in (3, 4)]
    land = PreparedSnapshot.commit
    seen: list[Recorded] = []

    def be_overtaken(self: PreparedSnapshot) -> None:
        if not seen:
            seen.append(Recorded(added=(), kept=0, rows=0))
            seen.append(record(other))
        land(self)

    monkeypatch.setattr(PreparedSnapshot, "commit", be_overtaken)
    done = record(lake_settings)

    assert seen[1].added == tuple(sorted(theirs))
    assert done == Recorded(added=(ours[0],), kept=2, rows=3)
    assert versions_in(catalog) == sorted({*ours, *theirs})
    named, lying = files_of(catalog)
    assert (named, len(named)) == (lying, 2)


def test_default_retries_would_record_twice(lake_settings: Settings, catalog: Catalog) -> None:
    """The control: what pyiceberg does where nobody keeps it from trying again by itself."""
    keep_one(lake_settings, 2)
    record(lake_settings)
    tables = [catalog.load_table("fraud.rulesets") for _ in range(2)]
    rows = tables[0].scan().to_arrow()
    for table in tables:
        table.append(rows)

    assert len(versions_in(catalog)) == 3


def test_many_at_once_record_each_version_once(lake_settings: Settings, catalog: Catalog) -> None:
    """Four homes on one catalog, each with versions that two others have as well."""
    homes = [home_beside(lake_settings, f"home-{at}") for at in range(4)]
    expected = set()
    for at, home in enumerate(homes):
        expected |= {keep_one(home, weight) for weight in range(at + 1, at + 4)}

    done = record_at_once(homes)

    assert versions_in(catalog) == sorted(expected)
    assert sorted(version for one in done for version in one.added) == sorted(expected)
    named, lying = files_of(catalog)
    assert named == lying


def test_upkeep_makes_one_sorted_file_of_many_and_nothing_is_recorded_again(
    lake_settings: Settings, catalog: Catalog
) -> None:
    versions = []
    for weight in (2, 3, 4):
        versions.append(keep_one(lake_settings, weight))
        record(lake_settings)
    settings = dataclasses.replace(
        lake_settings,
        lakehouse=dataclasses.replace(
            lake_settings.lakehouse, keep_snapshots=1, keep_snapshots_h=0, sweep_after_h=0
        ),
    )
    said: list[str] = []

    report = keep_up(
        settings,
        ("compact", "expire", "sweep"),
        tables=["rulesets"],
        dry_run=False,
        say=said.append,
    )

    assert said[0].startswith("rulesets all rows: 3 files")
    assert (report.before[0].files, report.after[0].files) == (3, 1)
    assert (report.after[0].unsorted_files, report.after[0].snapshots) == (0, 1)
    assert versions_in(catalog) == sorted(versions)
    assert record(lake_settings) == Recorded(added=(), kept=3, rows=3)
    again = keep_up(settings, ("compact",), tables=["rulesets"], dry_run=False, say=said.append)
    assert again.partitions_rewritten == 0


def test_sink_and_watch_know_nothing_of_the_table_that_the_sink_does_not_fill(
    lake_settings: Settings, catalog: Catalog
) -> None:
    apply_changes(catalog, lake_settings.lakehouse, {})
    keep_one(lake_settings, 2)
    record(lake_settings)

    filled = ["decisions", "labels", "dead_letters"]
    assert list(read_progress(lake_settings)) == filled
    assert [head.table for head in read_heads(lake_settings)] == filled


def test_decision_joins_with_the_one_row_and_the_rules_that_made_it(
    lake_settings: Settings, catalog: Catalog
) -> None:
    version = keep_one(lake_settings, 2)
    keep_one(lake_settings, 3)
    record(lake_settings)
    decisions_table(catalog)
    store(
        catalog, DECISIONS, [decision_value(ruleset=version, rules_fired=["big"], decision_id=ID)]
    )

    rows = ask(
        lake_settings,
        "select decision_id, text from decisions join rulesets using (ruleset)",
    )
    assert rows == [(ID, TEXT.format(weight=2))]
    fires = ask(
        lake_settings,
        "select rule_id, condition, weight from rule_fires join rules using (ruleset, rule_id)",
    )
    assert fires == [("big", "base_amount > 200", 2.0)]


def test_text_of_a_row_is_a_rule_set_of_that_version(
    lake_settings: Settings, tmp_path: Path
) -> None:
    version = keep_one(lake_settings, 2)
    record(lake_settings)

    [(text,)] = ask(lake_settings, "select text from rulesets")

    again = tmp_path / "again.toml"
    again.write_text(text)
    checked = subprocess.run(
        [sys.executable, "-m", "fraudlake.cli", "rules", "check", str(again), "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, Any] = json.loads(checked.stdout)
    assert (answer["version"], answer["ok"]) == (version, True)


def test_commits_say_whose_they_are(lake_settings: Settings) -> None:
    keep_one(lake_settings, 2)
    record(lake_settings)

    made = ask(lake_settings, "select table_name, made_by from meta.snapshots")
    assert made == [("rulesets", "rules")]


def test_questions_read_the_files_themselves(lake_settings: Settings) -> None:
    """The members of a list have a short name beside their full one: no table that was renamed."""
    keep_one(lake_settings, 2)
    record(lake_settings)

    with open_lake(lake_settings) as lake:
        assert lake.ask("select condition from rules", limit=9).rows
        assert lake.take_slow() == []
        assert lake.count_files()["rulesets"] == 1


ID = "f" * 32
