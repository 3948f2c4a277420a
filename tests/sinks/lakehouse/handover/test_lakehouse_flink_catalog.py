"""Flink's catalog shares a warehouse with ours."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.settings import LakehouseSettings, Secret
from sinks.lakehouse.handover.flink_catalog import flink_catalog


@pytest.mark.parametrize(
    ("lakehouse", "options"),
    [
        (
            {"catalog_uri": "https://catalog.example", "catalog_token": Secret("hunter2")},
            {
                "catalog-type": "rest",
                "uri": "https://catalog.example",
                "token": "<the value of FRAUDLAKE_LAKEHOUSE_CATALOG_TOKEN>",
            },
        ),
        (
            {
                "catalog_uri": "https://catalog.example",
                "catalog_credential": Secret("id:hunter2"),
                "catalog_oauth2_uri": "https://login.example/token",
                "catalog_scope": "all",
                "warehouse": "production",
            },
            {
                "catalog-type": "rest",
                "uri": "https://catalog.example",
                "credential": "<the value of FRAUDLAKE_LAKEHOUSE_CATALOG_CREDENTIAL>",
                "oauth2-server-uri": "https://login.example/token",
                "scope": "all",
                "warehouse": "production",
            },
        ),
        (
            {
                "catalog_uri": "postgresql://sink@db/lake",
                "catalog_password": Secret("hunter2"),
                "warehouse": "s3://lake/tables",
                "s3_endpoint": "http://minio:9000",
                "s3_access_key_id": "key",
                "s3_secret_access_key": Secret("hunter2"),
            },
            {
                "catalog-impl": "org.apache.iceberg.jdbc.JdbcCatalog",
                "uri": "jdbc:postgresql://db:5432/lake",
                "jdbc.user": "sink",
                "jdbc.password": "<the value of FRAUDLAKE_LAKEHOUSE_CATALOG_PASSWORD>",
                "jdbc.schema-version": "V1",
                "warehouse": "s3://lake/tables",
                "io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
                "s3.endpoint": "http://minio:9000",
                "s3.path-style-access": "true",
                "client.region": "us-east-1",
                "s3.access-key-id": "key",
                "s3.secret-access-key": "<the value of FRAUDLAKE_LAKEHOUSE_S3_SECRET_ACCESS_KEY>",
            },
        ),
    ],
)
def test_flink_gets_the_same_catalog_without_its_secrets(
    lakehouse: dict[str, Any], options: dict[str, str]
) -> None:
    assert flink_catalog(LakehouseSettings(**lakehouse)) == {"type": "iceberg", **options}
