"""The settings as properties of a pyiceberg catalog.

A password comes into the address of a SQL catalog here and nowhere else. pyiceberg writes no
property of a catalog into a table.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import make_url

if TYPE_CHECKING:
    from sqlalchemy import URL

    from pipelines.settings import LakehouseSettings

# What stands in the address wins.
_SQLITE_OPTIONS = {"timeout": "30"}
"""Seconds to wait for another process's commit, which holds the file for milliseconds."""
_POSTGRESQL_OPTIONS = {
    "connect_timeout": "10",
    # A server that has vanished without a word is noticed within a minute, not after two hours.
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    "application_name": "fraudlake",
}
REGION_OF_ANY = "us-east-1"


def is_rest(lakehouse: LakehouseSettings) -> bool:
    """True if the catalog is a server of Iceberg's own, spoken to by HTTP."""
    return lakehouse.catalog_uri.startswith(("http://", "https://"))


def catalog_properties(lakehouse: LakehouseSettings) -> dict[str, Any]:
    """What ``load_catalog`` needs, secrets included; ``lakehouse`` names catalog and warehouse."""
    access = _rest(lakehouse) if is_rest(lakehouse) else _sql(lakehouse)
    return {**access, **store_properties(lakehouse)}


def store_properties(lakehouse: LakehouseSettings) -> dict[str, str]:
    """How files are reached, whatever the catalog."""
    # One way to files for all stores, which is also the one by which DuckDB reads them.
    properties = {"py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO"}
    region = lakehouse.s3_region
    if lakehouse.s3_endpoint != "":
        properties["s3.endpoint"] = lakehouse.s3_endpoint
        # Without a region pyiceberg asks Amazon for the bucket's, whoever's bucket it is.
        region = region or REGION_OF_ANY
    if region != "":
        properties["s3.region"] = region
    if lakehouse.s3_access_key_id != "":
        properties["s3.access-key-id"] = lakehouse.s3_access_key_id
        properties["s3.secret-access-key"] = lakehouse.s3_secret_access_key.reveal()
    return properties


def _rest(lakehouse: LakehouseSettings) -> dict[str, Any]:
    uri = lakehouse.catalog_uri
    properties: dict[str, Any] = {"type": "rest", "uri": uri}
    if lakehouse.warehouse != "":
        properties["warehouse"] = lakehouse.warehouse
    if lakehouse.catalog_token.reveal() != "":
        properties["token"] = lakehouse.catalog_token.reveal()
    elif lakehouse.catalog_credential.reveal() != "":
        own = f"{uri.rstrip('/')}/v1/oauth/tokens"
        properties["credential"] = lakehouse.catalog_credential.reveal()
        properties["oauth2-server-uri"] = lakehouse.catalog_oauth2_uri or own
    else:
        # Otherwise "Bearer None" is sent.
        properties["auth"] = {"type": "noop"}
    if lakehouse.catalog_scope != "":
        properties["scope"] = lakehouse.catalog_scope
    return properties


def _sql(lakehouse: LakehouseSettings) -> dict[str, Any]:
    warehouse = lakehouse.warehouse
    if "://" not in warehouse:
        warehouse = Path(warehouse).absolute().as_uri()
    return {
        "type": "sql",
        "uri": _address(lakehouse).render_as_string(hide_password=False),
        "warehouse": warehouse,
        # Readers create nothing.
        "init_catalog_tables": "false",
        # A connection that has died while nobody used it is replaced, not reported.
        "pool_pre_ping": "true",
    }


def _address(lakehouse: LakehouseSettings) -> URL:
    url = make_url(lakehouse.catalog_uri)
    if url.get_backend_name() == "sqlite":
        return url.update_query_dict({**_SQLITE_OPTIONS, **url.query})
    password = lakehouse.catalog_password.reveal()
    url = url.set(drivername="postgresql+psycopg", password=None if password == "" else password)
    return url.update_query_dict({**_POSTGRESQL_OPTIONS, **url.query})
