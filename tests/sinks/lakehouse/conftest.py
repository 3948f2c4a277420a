"""Records as the job writes them, an Iceberg catalog in a temporary folder, and real servers."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING

import decision_records
import pytest
from decision_records import collect, decision_value
from postgres_server import Postgres, running_postgres
from s3_server import Store, running_s3

from pipelines.settings import LakehouseSettings, Settings, StackSettings
from sinks.lakehouse.catalog import open_catalog

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

    from sinks.lakehouse.ingest.records import Records


@pytest.fixture
def decision() -> Callable[..., bytes]:
    return decision_value


@pytest.fixture
def records() -> Callable[..., Records]:
    return collect


@pytest.fixture(scope="module")
def postgres() -> Iterator[Postgres]:
    with running_postgres() as server:
        yield server


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with running_s3(tmp_path_factory.mktemp("s3") / "log") as store:
        yield store


@pytest.fixture
def lake_settings(tmp_path: Path) -> Settings:
    """The default catalog, in a folder of this test alone."""
    return dataclasses.replace(
        Settings(), stack=StackSettings(home=tmp_path), lakehouse=LakehouseSettings()
    )


@pytest.fixture
def catalog(lake_settings: Settings) -> Iterator[Catalog]:
    """That catalog, open."""
    with open_catalog(lake_settings) as opened:
        yield opened


@pytest.fixture
def decisions_table(catalog: Catalog) -> Callable[..., Table]:
    """The table of decisions as it is now, with the features of DECISION and those named."""
    return functools.partial(decision_records.decisions_table, catalog)
