"""The settings as options of Flink's Iceberg catalog, so that it shares a warehouse with ours.

What ``properties.py`` is for pyiceberg. Secrets are left out, with a line that says where they go.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import make_url

from pipelines.errors import SinkError
from sinks.lakehouse.properties import REGION_OF_ANY, is_rest

if TYPE_CHECKING:
    from pipelines.settings import LakehouseSettings


def flink_catalog(lakehouse: LakehouseSettings) -> dict[str, str]:
    """The options; SinkError for a catalog that Flink cannot share."""
    return {"type": "iceberg", **_access(lakehouse), **_store(lakehouse)}


def _access(lakehouse: LakehouseSettings) -> dict[str, str]:
    uri = lakehouse.catalog_uri
    if is_rest(lakehouse):
        return {"catalog-type": "rest", "uri": uri, **_login(lakehouse)}
    if not uri.startswith("postgresql"):
        msg = (
            "Flink cannot share a catalog in SQLite: set FRAUDLAKE_LAKEHOUSE_CATALOG_URI to a REST "
            "catalog or to PostgreSQL (docs/catalogs.md says how tables move there)"
        )
        raise SinkError(msg)
    url = make_url(uri)
    return {
        "catalog-impl": "org.apache.iceberg.jdbc.JdbcCatalog",
        "uri": f"jdbc:postgresql://{url.host}:{url.port or 5432}/{url.database}",
        "jdbc.user": url.username or "",
        "jdbc.password": _secret("CATALOG_PASSWORD"),
        "jdbc.schema-version": "V1",
    }


def _login(lakehouse: LakehouseSettings) -> dict[str, str]:
    """How a REST catalog is told who asks."""
    options: dict[str, str] = {}
    if lakehouse.catalog_token.reveal() != "":
        options["token"] = _secret("CATALOG_TOKEN")
    elif lakehouse.catalog_credential.reveal() != "":
        options["credential"] = _secret("CATALOG_CREDENTIAL")
    if lakehouse.catalog_oauth2_uri != "":
        options["oauth2-server-uri"] = lakehouse.catalog_oauth2_uri
    if lakehouse.catalog_scope != "":
        options["scope"] = lakehouse.catalog_scope
    return options


def _store(lakehouse: LakehouseSettings) -> dict[str, str]:
    """Where the files are, and how they are reached."""
    options: dict[str, str] = {}
    if lakehouse.warehouse != "":
        options["warehouse"] = lakehouse.warehouse
    if lakehouse.warehouse.startswith("s3://"):
        options["io-impl"] = "org.apache.iceberg.aws.s3.S3FileIO"
    if lakehouse.s3_endpoint != "":
        options |= {"s3.endpoint": lakehouse.s3_endpoint, "s3.path-style-access": "true"}
    if lakehouse.s3_region != "" or lakehouse.s3_endpoint != "":
        options["client.region"] = lakehouse.s3_region or REGION_OF_ANY
    if lakehouse.s3_access_key_id != "":
        options["s3.access-key-id"] = lakehouse.s3_access_key_id
        options["s3.secret-access-key"] = _secret("S3_SECRET_ACCESS_KEY")
    return options


def _secret(name: str) -> str:
    return f"<the value of FRAUDLAKE_LAKEHOUSE_{name}>"
