"""Dagster's instance of the containers, on a real PostgreSQL: what happened outlives a process."""

from __future__ import annotations

import shutil
from pathlib import Path
from urllib.parse import urlsplit

import dagster as dg
import pytest
from postgres_server import PASSWORD, USER, running_postgres

pytestmark = pytest.mark.live
TEMPLATE = Path(__file__).parents[2] / "deploy" / "dagster" / "dagster.yaml"


@dg.asset
def topic() -> dg.MaterializeResult[None]:
    return dg.MaterializeResult(metadata={"partitions": 4})


def test_what_was_materialized_is_known_to_the_next_process_and_nothing_lies_in_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(TEMPLATE, tmp_path / "dagster.yaml")
    with running_postgres() as server:
        address = urlsplit(server.create_database())
        for name, value in {
            "HOST": address.hostname,
            "PORT": str(address.port),
            "USER": USER,
            "PASSWORD": PASSWORD,
            "DATABASE": address.path.removeprefix("/"),
        }.items():
            monkeypatch.setenv(f"DAGSTER_POSTGRES_{name}", str(value))

        with dg.DagsterInstance.from_config(str(tmp_path)) as first:
            assert dg.materialize([topic], instance=first).success
        with dg.DagsterInstance.from_config(str(tmp_path)) as second:
            event = second.get_latest_materialization_event(topic.key)
            assert event is not None
            found = event.asset_materialization
            assert found is not None
            assert found.metadata["partitions"].value == 4
            assert second.telemetry_enabled is False

    assert not list(tmp_path.rglob("*.db"))
