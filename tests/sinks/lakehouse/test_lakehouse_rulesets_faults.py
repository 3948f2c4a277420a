"""Killed, unanswered, away, changed by others: a version is recorded once, or it is said why."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kept_rulesets import files_of, keep_one, record, versions_in
from pyiceberg.exceptions import CommitFailedException, CommitStateUnknownException
from pyiceberg.types import LongType
from sqlalchemy.exc import OperationalError

from fraudlake.stack.ports import choose_ports
from pipelines.errors import RulesetError, SinkError, TransientError
from sinks.lakehouse import rulesets as module
from sinks.lakehouse.iceberg import PreparedSnapshot
from sinks.lakehouse.rulesets import Recorded
from sinks.lakehouse.schema import apply_changes
from sinks.lakehouse.upkeep.sweep import sweep_strays

if TYPE_CHECKING:
    from pyiceberg.catalog import Catalog

    from pipelines.settings import Settings


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)


@pytest.mark.parametrize("where", ["before", "behind"])
def test_recording_that_is_killed_beside_its_commit_is_made_up_for_by_the_next(
    lake_settings: Settings, catalog: Catalog, where: str
) -> None:
    version = keep_one(lake_settings, 2)
    environ = {"FRAUDLAKE_STACK_HOME": str(lake_settings.stack.home)}
    doomed = Path(__file__).with_name("doomed_recording.py")
    killed = subprocess.run(
        [sys.executable, str(doomed), where], env=environ, capture_output=True, check=False
    )
    assert killed.returncode == -9, killed.stderr

    done = record(lake_settings)

    assert done.added == ((version,) if where == "before" else ())
    assert versions_in(catalog) == [version]
    named, lying = files_of(catalog)
    strays = lying - named
    assert len(strays) == (1 if where == "before" else 0)
    table = catalog.load_table("fraud.rulesets")
    swept = sweep_strays(table, older_than=timedelta(0), dry_run=False)
    assert {path for path in swept.stray if path.endswith(".parquet")} == strays
    assert versions_in(catalog) == [version]


@pytest.mark.parametrize(
    "error",
    [
        CommitFailedException("the answer was lost and the request sent again"),
        CommitStateUnknownException("no answer"),
        OperationalError("commit", {}, Exception("database is locked")),
        OSError("connection reset"),
    ],
)
def test_commit_whose_answer_is_lost_is_found_and_not_repeated(
    lake_settings: Settings,
    catalog: Catalog,
    monkeypatch: pytest.MonkeyPatch,
    error: Exception,
) -> None:
    version = keep_one(lake_settings, 2)
    land = PreparedSnapshot.commit

    def land_and_lose_the_answer(self: PreparedSnapshot) -> None:
        land(self)
        raise error

    monkeypatch.setattr(PreparedSnapshot, "commit", land_and_lose_the_answer)

    assert record(lake_settings) == Recorded(added=(version,), kept=1, rows=1)
    assert versions_in(catalog) == [version]


def test_commit_that_lands_behind_our_second_look_is_not_doubled(
    lake_settings: Settings, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    version = keep_one(lake_settings, 2)
    land = PreparedSnapshot.commit
    waiting: list[PreparedSnapshot] = []

    def late(self: PreparedSnapshot) -> None:
        if not waiting:
            waiting.append(self)
            raise CommitStateUnknownException("no answer")
        if len(waiting) == 1:
            waiting.append(self)
            mine = self._transaction._table
            known = mine.metadata
            land(waiting[0])
            mine.metadata = known  # it landed somewhere else: nobody told this writer
        land(self)

    monkeypatch.setattr(PreparedSnapshot, "commit", late)

    assert record(lake_settings) == Recorded(added=(version,), kept=1, rows=1)
    assert versions_in(catalog) == [version]


def test_catalog_that_takes_no_commit_ends_in_a_transient_error_and_leaves_no_file(
    lake_settings: Settings, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_one(lake_settings, 2)

    def refuse(_: PreparedSnapshot) -> None:
        raise CommitFailedException("busy")

    monkeypatch.setattr(PreparedSnapshot, "commit", refuse)

    with pytest.raises(TransientError, match=r"fraud\.rulesets took no commit in 10 attempts"):
        record(lake_settings)
    assert files_of(catalog) == (set(), set())


@pytest.mark.parametrize("scheme", ["postgresql", "http"])
def test_catalog_that_is_away_is_a_transient_error_and_the_next_run_records(
    lake_settings: Settings, scheme: str
) -> None:
    version = keep_one(lake_settings, 2)
    port = choose_ports({"port": 0}, strict=False)["port"]
    user = "someone@" if scheme == "postgresql" else ""
    away = dataclasses.replace(
        lake_settings.lakehouse,
        catalog_uri=f"{scheme}://{user}127.0.0.1:{port}/lake",
        warehouse="/nowhere",
    )

    with pytest.raises(TransientError, match="does not answer"):
        record(dataclasses.replace(lake_settings, lakehouse=away))

    assert record(lake_settings).added == (version,)


def test_table_that_is_dropped_meanwhile_is_said(
    lake_settings: Settings, catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_one(lake_settings, 2)

    def drop_first(_: PreparedSnapshot) -> None:
        catalog.drop_table("fraud.rulesets")
        raise CommitFailedException("it is gone")

    monkeypatch.setattr(PreparedSnapshot, "commit", drop_first)
    with pytest.raises(SinkError, match=r"fraud\.rulesets was dropped just now"):
        record(lake_settings)
    monkeypatch.undo()

    assert len(record(lake_settings).added) == 1


def test_table_that_another_tool_has_changed_is_refused_in_a_sentence(
    lake_settings: Settings, catalog: Catalog
) -> None:
    keep_one(lake_settings, 2)
    record(lake_settings)
    table = catalog.load_table("fraud.rulesets")
    with table.update_schema() as update:
        update.rename_column("ruleset", "version")

    with pytest.raises(SinkError, match=r"rulesets cannot be read: .*lake diff"):
        record(lake_settings)


def test_rule_member_that_another_tool_has_changed_is_refused(
    lake_settings: Settings, catalog: Catalog
) -> None:
    apply_changes(catalog, lake_settings.lakehouse, {})
    with catalog.load_table("fraud.rulesets").update_schema() as update:
        update.add_column(("rules", "hits"), LongType())

    with pytest.raises(SinkError, match=r"column rules of table fraud\.rulesets is list"):
        apply_changes(catalog, lake_settings.lakehouse, {})


def test_damaged_file_is_named(lake_settings: Settings) -> None:
    keep_one(lake_settings, 2)
    [copy] = (lake_settings.stack.home / "rules").glob("*.toml")
    copy.write_text("")

    with pytest.raises(RulesetError, match=copy.name):
        record(lake_settings)
