"""Whether catalog and warehouse answer, for whoever sets them up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyarrow.fs import FileType
from pyiceberg.io.pyarrow import PyArrowFileIO

from pipelines.errors import SinkError
from sinks.lakehouse.catalog import find_catalog
from sinks.lakehouse.properties import store_properties
from sinks.lakehouse.refusals import explained

if TYPE_CHECKING:
    from pipelines.settings import LakehouseSettings, Settings

_S3 = "s3://"


def describe_reach(settings: Settings) -> str:
    """What was found, in a few words; creates nothing.

    TransientError when catalog or store do not answer, SinkError when they refuse.
    """
    lakehouse = settings.lakehouse
    with find_catalog(settings) as catalog, explained(settings):
        count = 0
        if catalog is not None and catalog.namespace_exists(lakehouse.namespace):
            count = len(catalog.list_tables(lakehouse.namespace))
        if lakehouse.warehouse.startswith(_S3):
            _check_bucket(lakehouse)
    where = lakehouse.catalog_uri or "the default catalog"
    return f"{where} answers; tables in namespace {lakehouse.namespace}: {count}"


def _check_bucket(lakehouse: LakehouseSettings) -> None:
    bucket = lakehouse.warehouse.removeprefix(_S3).partition("/")[0]
    store = PyArrowFileIO(store_properties(lakehouse)).fs_by_scheme("s3", bucket)
    if store.get_file_info(bucket).type is FileType.NotFound:
        msg = f"there is no bucket {bucket}; create it, or set FRAUDLAKE_LAKEHOUSE_WAREHOUSE"
        raise SinkError(msg)
