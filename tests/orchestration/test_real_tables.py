"""The definitions on real tables: upkeep and checks ask what is really there."""

from __future__ import annotations

import fcntl
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from orchestration.defs.quality import no_duplicate_rows, quality, schema_unchanged
from orchestration.defs.upkeep import compaction, expiry, sweep
from orchestration.failures import translate_failures
from orchestration.resources import Tables
from pipelines.settings import Settings
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.schema import apply_changes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

UPKEEP = [compaction, expiry, sweep]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FRAUDLAKE_STACK_HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as one:
        yield one


def make_tables() -> None:
    settings = Settings.from_env()
    with open_catalog(settings) as catalog:
        apply_changes(catalog, settings.lakehouse, {})


def test_upkeep_and_checks_of_new_tables_are_green(
    home: Path, instance: dg.DagsterInstance
) -> None:
    make_tables()
    upkeep = dg.materialize(
        UPKEEP,
        selection=dg.AssetSelection.assets(*UPKEEP),
        instance=instance,
        resources={"tables": Tables()},
    )
    assert upkeep.success
    assert len(upkeep.get_asset_materialization_events()) == 3

    checks = dg.materialize(
        [quality, no_duplicate_rows, schema_unchanged],
        selection=dg.AssetSelection.assets(quality),
        instance=instance,
        resources={"tables": Tables()},
    )
    found = {one.check_name: one for one in checks.get_asset_check_evaluations()}
    assert len(found) == 5
    assert all(one.passed for one in found.values())
    assert "too few to judge" in str(found["score_drift"].description)


def test_upkeep_and_checks_without_tables_are_green_and_say_so(
    home: Path, instance: dg.DagsterInstance
) -> None:
    """Each hour was red on an instance whose sink had not started yet."""
    upkeep = dg.materialize(
        UPKEEP,
        selection=dg.AssetSelection.assets(*UPKEEP),
        instance=instance,
        resources={"tables": Tables()},
    )
    told = [event.materialization for event in upkeep.get_asset_materialization_events()]
    assert len(told) == 3
    assert all("there are no tables yet" in str(one.metadata["done"].value) for one in told)

    checks = dg.materialize(
        [quality, no_duplicate_rows],
        selection=dg.AssetSelection.assets(quality),
        instance=instance,
        resources={"tables": Tables()},
    )
    found = checks.get_asset_check_evaluations()
    assert len(found) == 4
    assert all(one.passed for one in found)
    assert all("there are no tables yet" in str(one.description) for one in found)


def test_upkeep_beside_another_one_is_tried_again(home: Path) -> None:
    make_tables()
    with (home / "lakehouse" / "upkeep.lock").open("w") as file:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX)
        with pytest.raises(dg.Failure, match="is under way") as caught, translate_failures():
            Tables().keep_up("compact", only_look=False, log=str)
    assert caught.value.allow_retries
