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
def open_catalog(settings: Settings, *, writable: bool) -> Iterator[Catalog | None]:
    """The catalog; its connections are closed at the end of the block.

    With ``writable`` what a SQL catalog needs is created. Otherwise nothing is, and None stands for
    a catalog that does not exist yet. TransientError when it cannot be reached, SinkError when it
    refuses.
    """
    file = _local_file(settings)
    if file is not None and not file.is_file():
        if not writable:
            yield None
            return
        file.parent.mkdir(parents=True, exist_ok=True)
    with explained(settings):
        catalog = load_catalog(NAME, **catalog_properties(_named(settings, file)))
    try:
        with explained(settings):
            exists = _prepare(catalog, writable=writable)
        yield catalog if exists else None
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


def _prepare(catalog: Catalog, *, writable: bool) -> bool:
    """True if the catalog can be used; a SQL catalog may have to create its own tables first."""
    if isinstance(catalog, RestCatalog):
        bound_requests(catalog, seconds=REQUEST_SECONDS)
    if not isinstance(catalog, SqlCatalog):
        return True
    exists = sqlalchemy.inspect(catalog.engine).has_table(IcebergTables.__tablename__)
    if writable and not exists:
        try:
            catalog.create_tables()
        except DBAPIError as error:
            # Another process creates them at the same time; what it has not got to yet is left.
            if "already exists" not in str(error.orig):
                raise
            catalog.create_tables()
    return exists or writable
