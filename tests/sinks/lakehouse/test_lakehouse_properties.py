"""Settings become pyiceberg's properties, with the defaults that a server needs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url

from pipelines.settings import LakehouseSettings, Secret
from sinks.lakehouse.properties import catalog_properties

FILES = {"py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO"}


def test_a_postgresql_catalog_gets_driver_password_and_time_outs() -> None:
    lakehouse = LakehouseSettings(
        catalog_uri="postgresql://sink@db:5433/lake?connect_timeout=3",
        catalog_password=Secret("p@ss/w:rd"),
        warehouse="tables",
    )

    properties = catalog_properties(lakehouse)

    url = make_url(properties["uri"])
    assert (url.drivername, url.username, url.password) == (
        "postgresql+psycopg",
        "sink",
        "p@ss/w:rd",
    )
    assert (url.host, url.port, url.database) == ("db", 5433, "lake")
    assert url.query["connect_timeout"] == "3"
    assert url.query["tcp_user_timeout"] == "30000"
    assert properties["warehouse"] == Path("tables").absolute().as_uri()
    assert properties["init_catalog_tables"] == "false"


def test_without_a_password_postgresql_finds_its_own() -> None:
    """As psql does: in PGPASSWORD or ~/.pgpass."""
    lakehouse = LakehouseSettings(catalog_uri="postgresql://sink@db/lake", warehouse="/srv/lake")

    assert make_url(catalog_properties(lakehouse)["uri"]).password is None


def test_sqlite_waits_for_a_busy_file() -> None:
    lakehouse = LakehouseSettings(catalog_uri="sqlite:////srv/c.db", warehouse="s3://lake/tables")

    properties = catalog_properties(lakehouse)

    assert properties["uri"] == "sqlite:////srv/c.db?timeout=30"
    assert properties["warehouse"] == "s3://lake/tables"


@pytest.mark.parametrize(
    ("settings", "properties"),
    [
        ({}, {"auth": {"type": "noop"}}),
        ({"catalog_token": Secret("t")}, {"token": "t"}),
        (
            {"catalog_credential": Secret("id:s"), "warehouse": "production"},
            {
                "credential": "id:s",
                "oauth2-server-uri": "https://catalog.example/api/v1/oauth/tokens",
                "warehouse": "production",
            },
        ),
        (
            {
                "catalog_credential": Secret("id:s"),
                "catalog_oauth2_uri": "https://login.example/token",
                "catalog_scope": "PRINCIPAL_ROLE:ALL",
            },
            {
                "credential": "id:s",
                "oauth2-server-uri": "https://login.example/token",
                "scope": "PRINCIPAL_ROLE:ALL",
            },
        ),
    ],
)
def test_a_rest_catalog_gets_a_login(settings: dict[str, Any], properties: dict[str, Any]) -> None:
    uri = "https://catalog.example/api/"
    found = catalog_properties(LakehouseSettings(catalog_uri=uri, **settings))

    assert found == {"type": "rest", "uri": uri, **FILES, **properties}


@pytest.mark.parametrize(
    ("settings", "properties"),
    [
        ({}, {}),
        ({"s3_region": "eu-central-1"}, {"s3.region": "eu-central-1"}),
        # Otherwise Amazon is asked where a bucket is that it never heard of.
        (
            {"s3_endpoint": "http://minio:9000"},
            {"s3.endpoint": "http://minio:9000", "s3.region": "us-east-1"},
        ),
        (
            {"s3_access_key_id": "k", "s3_secret_access_key": Secret("s")},
            {"s3.access-key-id": "k", "s3.secret-access-key": "s"},
        ),
    ],
)
def test_a_store_gets_what_is_set_and_nothing_else(
    settings: dict[str, Any], properties: dict[str, str]
) -> None:
    lakehouse = LakehouseSettings(catalog_uri="https://catalog.example", **settings)

    found = catalog_properties(lakehouse)

    assert {name: value for name, value in found.items() if "s3." in name} == properties
