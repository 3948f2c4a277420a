"""The Iceberg catalog that the settings name: SQLite in the stack's home, or one of your own."""

from __future__ import annotations

import dataclasses
from contextlib import contextmanager
from typing import TYPE_CHECKING

import sqlalchemy
from pyiceberg.catalog import load_catalog
from pyiceberg.catalog.rest import RestCatalog
from pyiceberg.catalog.sql import IcebergTables, SqlCatalog
from sqlalchemy.exc import DBAPIError

from sinks.lakehouse.iceberg import bound_requests
from sinks.lakehouse.properties import catalog_properties
from sinks.lakehouse.refusals import explained

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pyiceberg.catalog import Catalog

    from pipelines.settings import LakehouseSettings, Settings

NAME = "fraudlake"
FOLDER = "lakehouse"
CATALOG_FILE = "catalog.db"
WAREHOUSE_FOLDER = "warehouse"
REQUEST_SECONDS = 60.0


@contextmanager
def open_catalog(settings: Settings) -> Iterator[Catalog]:
    """The catalog, made where it is missing; its connections are closed at the end of the block.

    TransientError when it cannot be reached, SinkError when it refuses.
    """
    file = _local_file(settings)
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
    with _connected(settings, file) as catalog:
        with explained(settings):
            _make_tables(catalog)
        yield catalog


@contextmanager
def find_catalog(settings: Settings) -> Iterator[Catalog | None]:
    """The catalog as ``open_catalog`` gives it, but nothing is made: None where none is yet."""
    file = _local_file(settings)
    if file is not None and not file.is_file():
        yield None
        return
    with _connected(settings, file) as catalog:
        with explained(settings):
            has_tables = _has_tables(catalog)
        yield catalog if has_tables else None


@contextmanager
def _connected(settings: Settings, file: Path | None) -> Iterator[Catalog]:
    with explained(settings):
        catalog = load_catalog(NAME, **catalog_properties(_named(settings, file)))
    try:
        if isinstance(catalog, RestCatalog):
            bound_requests(catalog, seconds=REQUEST_SECONDS)
        yield catalog
    finally:
        catalog.close()


def _local_file(settings: Settings) -> Path | None:
    """The SQLite file of the default catalog; None if the settings name another one."""
    if settings.lakehouse.catalog_uri != "":
        return None
    return settings.stack.home / FOLDER / CATALOG_FILE


def _named(settings: Settings, file: Path | None) -> LakehouseSettings:
    """The settings with the default catalog and warehouse by their names."""
    if file is None:
        return settings.lakehouse
    return dataclasses.replace(
        settings.lakehouse,
        catalog_uri=f"sqlite:///{file}",
        warehouse=settings.lakehouse.warehouse or str(file.parent / WAREHOUSE_FOLDER),
    )


def _has_tables(catalog: Catalog) -> bool:
    """False for a SQL catalog that lacks the tables of its own."""
    if not isinstance(catalog, SqlCatalog):
        return True
    return sqlalchemy.inspect(catalog.engine).has_table(IcebergTables.__tablename__)


def _make_tables(catalog: Catalog) -> None:
    if not isinstance(catalog, SqlCatalog) or _has_tables(catalog):
        return
    try:
        catalog.create_tables()
    except DBAPIError as error:
        # Another process creates them at the same time; what it has not got to yet is left.
        if "already exists" not in str(error.orig):
            raise
        catalog.create_tables()
