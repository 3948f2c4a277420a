"""Settings of the lakehouse that contradict each other are one sentence each, without a secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.errors import SettingsError
from pipelines.settings import Settings

PREFIX = "FRAUDLAKE_LAKEHOUSE_"
POSTGRESQL = {"CATALOG_URI": "postgresql://sink@db:5432/lake", "WAREHOUSE": "/srv/lake"}
REST = {"CATALOG_URI": "https://catalog.example/api"}
S3 = {"S3_ACCESS_KEY_ID": "AKIA", "S3_SECRET_ACCESS_KEY": "hunter2"}


def read(values: dict[str, str]) -> Settings:
    environ = {f"{PREFIX}{name}": value for name, value in values.items()}
    return Settings.from_env(environ, cwd=Path("/nowhere"))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"WAREHOUSE": "s3://lake/tables", **S3},
        {"WAREHOUSE": "s3://lake/tables", "S3_REGION": "eu-central-1"},
        {"WAREHOUSE": "tables"},
        {"CATALOG_URI": "sqlite:////srv/a:b@c.db", "WAREHOUSE": "file:///srv/lake"},
        {**POSTGRESQL, "CATALOG_PASSWORD": "hunter2"},
        {**POSTGRESQL, "CATALOG_URI": "postgresql+psycopg://sink@db/lake?sslmode=verify-full"},
        {**POSTGRESQL, "CATALOG_URI": "postgresql:///lake?host=/run/postgresql"},
        {**POSTGRESQL, "CATALOG_URI": "postgresql://[::1]:5432/lake"},
        {**REST, "CATALOG_TOKEN": "hunter2"},
        {
            **REST,
            "CATALOG_CREDENTIAL": "id:hunter2",
            "CATALOG_SCOPE": "PRINCIPAL_ROLE:ALL",
            "CATALOG_OAUTH2_URI": "https://login.example/token",
            "WAREHOUSE": "production",
            "S3_ENDPOINT": "http://minio:9000",
            **S3,
        },
    ],
)
def test_what_belongs_together_is_taken(values: dict[str, str]) -> None:
    assert "hunter2" not in repr(read(values))


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"CATALOG_URI": "mysql://db/lake"}, "CATALOG_URI must begin with postgresql://"),
        ({"CATALOG_URI": "catalog.db"}, "CATALOG_URI must begin with postgresql://"),
        (
            {**POSTGRESQL, "CATALOG_URI": "postgresql://sink:hunter2@db/lake"},
            "CATALOG_URI holds a password, and addresses are shown - give it as "
            "FRAUDLAKE_LAKEHOUSE_CATALOG_PASSWORD",
        ),
        (
            {**POSTGRESQL, "CATALOG_URI": "postgresql://sink:hun#ter2/x@db/lake"},
            "CATALOG_URI holds a password",
        ),
        (
            {**POSTGRESQL, "CATALOG_URI": "postgresql://sink@db/lake?password=hunter2"},
            "CATALOG_URI holds a password",
        ),
        (
            {"CATALOG_URI": "https://id:hunter2@catalog.example"},
            "CATALOG_URI holds a login, and addresses are shown - give it as "
            "FRAUDLAKE_LAKEHOUSE_CATALOG_CREDENTIAL or FRAUDLAKE_LAKEHOUSE_CATALOG_TOKEN",
        ),
        (
            {**POSTGRESQL, "CATALOG_URI": "postgresql://db:port/lake"},
            "CATALOG_URI is no address: it must look like postgresql://host:port/...",
        ),
        ({"CATALOG_URI": "https:///v1"}, "CATALOG_URI is no address"),
        ({**REST, "CATALOG_PASSWORD": "hunter2"}, "a REST catalog takes FRAUDLAKE_LAKEHOUSE_"),
        ({"CATALOG_PASSWORD": "hunter2"}, "SQLite has no users; remove it"),
        (
            {**REST, "CATALOG_TOKEN": "hunter2", "CATALOG_CREDENTIAL": "hunter2"},
            "CATALOG_CREDENTIAL are both set - a credential gets its own token: keep one",
        ),
        ({**POSTGRESQL, "CATALOG_TOKEN": "hunter2"}, "CATALOG_TOKEN is for a REST catalog"),
        ({"CATALOG_CREDENTIAL": "hunter2"}, "CATALOG_CREDENTIAL is for a REST catalog"),
        ({"CATALOG_SCOPE": "all"}, "CATALOG_SCOPE is for a REST catalog"),
        (
            {**REST, "CATALOG_OAUTH2_URI": "https://me:hunter2@login"},
            "CATALOG_OAUTH2_URI must look like https://host/path, without a login",
        ),
        (
            {"CATALOG_URI": "postgresql://sink@db/lake"},
            "WAREHOUSE must be set with a catalog of your own",
        ),
        ({"WAREHOUSE": "gs://lake/tables"}, "WAREHOUSE must be a folder or s3://bucket/folder"),
        (
            {"S3_ENDPOINT": "http://minio:9000", **S3},
            "S3 is set up, and FRAUDLAKE_LAKEHOUSE_WAREHOUSE is not there",
        ),
        (
            {"WAREHOUSE": "s3://lake", "S3_ACCESS_KEY_ID": "AKIA"},
            "S3_SECRET_ACCESS_KEY go together",
        ),
        (
            {"WAREHOUSE": "s3://lake", "S3_ENDPOINT": "minio:9000"},
            "S3_ENDPOINT must look like https://host:port, without a login",
        ),
    ],
)
def test_what_does_not_is_a_sentence_that_shows_no_secret(
    values: dict[str, str], sentence: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        read(values)

    message = str(caught.value)
    assert message.startswith((PREFIX, "S3 is set up"))
    assert sentence in message
    assert "hunter2" not in message
    assert "hun#" not in message
    assert ";" not in message.replace("users; remove", "")  # one fault is told once
