"""The Iceberg catalog that the settings name: SQLite in the stack's home, or one of your own."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pyiceberg.catalog import load_catalog
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from pipelines.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyiceberg.catalog import Catalog

    from pipelines.settings import Settings

NAME = "fraudlake"
FOLDER = "lakehouse"
CATALOG_FILE = "catalog.db"
WAREHOUSE_FOLDER = "warehouse"


def local_catalog_file(settings: Settings) -> Path | None:
    """The SQLite file of the default catalog; None if the settings name another one."""
    if settings.lakehouse.catalog_uri != "":
        return None
    return settings.stack.home / FOLDER / CATALOG_FILE


@contextmanager
def open_catalog(settings: Settings, *, writable: bool) -> Iterator[Catalog | None]:
    """The catalog; its connections are closed at the end of the block.

    With ``writable`` what the default catalog needs is created. Otherwise nothing is, and None
    stands for a default catalog that does not exist yet. TransientError when it cannot be reached.
    """
    file = local_catalog_file(settings)
    if file is not None and not file.is_file():
        if not writable:
            yield None
            return
        file.parent.mkdir(parents=True, exist_ok=True)
    catalog = _connect(settings, file, writable=writable)
    try:
        yield catalog
    finally:
        catalog.close()


def _connect(settings: Settings, file: Path | None, *, writable: bool) -> Catalog:
    properties = _properties(settings, file, writable=writable)
    try:
        try:
            return load_catalog(NAME, **properties)
        except OperationalError:
            # Two processes created the catalog's own tables at once; now they are there.
            return load_catalog(NAME, **properties)
    except (SQLAlchemyError, OSError) as error:
        msg = (
            f"the Iceberg catalog does not answer: {error}. "
            "Check FRAUDLAKE_LAKEHOUSE_CATALOG_URI and that its server runs"
        )
        raise TransientError(msg) from error


def _properties(settings: Settings, file: Path | None, *, writable: bool) -> dict[str, str]:
    warehouse = settings.lakehouse.warehouse
    if file is not None:
        uri = f"sqlite:///{file}"
        if warehouse == "":
            warehouse = (file.parent / WAREHOUSE_FOLDER).as_uri()
    else:
        uri = settings.lakehouse.catalog_uri
    if warehouse.startswith(("/", ".")):
        warehouse = Path(warehouse).absolute().as_uri()
    properties = {"uri": uri, "init_catalog_tables": str(writable).lower()}
    if warehouse != "":
        properties["warehouse"] = warehouse
    return properties
