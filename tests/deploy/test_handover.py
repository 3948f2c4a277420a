"""The script that opens the lakehouse in Spark: our settings as Spark's, and no secret in sight."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from sinks.lakehouse.tables import TABLES

FOLDER = Path(__file__).parents[2] / "deploy" / "handover"
# Prints its arguments, and the file of properties that it was given.
FAKE = """#!/usr/bin/env bash
echo "$@"
while [ "$1" != --properties-file ]; do shift; done
ls -l "$2" | cut -c1-10
cat "$2"
"""


@pytest.fixture
def bin_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "spark-sql").write_text(FAKE)
    (folder / "spark-sql").chmod(0o755)
    return folder


def run(bin_folder: Path, settings: dict[str, str]) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if "FRAUDLAKE" not in name}
    environ |= {f"FRAUDLAKE_LAKEHOUSE_{name}": value for name, value in settings.items()}
    environ["PATH"] = f"{bin_folder}:{environ['PATH']}"
    environ["TMPDIR"] = str(bin_folder.parent)
    return subprocess.run(
        [FOLDER / "spark_sql.sh", "-e", "select 1"],
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("settings", "properties"),
    [
        (
            {
                "CATALOG_URI": "postgresql+psycopg://sink@db:5433/lake",
                "CATALOG_PASSWORD": "hunter2 $x",
                "WAREHOUSE": "s3://lake/tables",
                "S3_ENDPOINT": "http://minio:9000",
                "S3_ACCESS_KEY_ID": "key",
                "S3_SECRET_ACCESS_KEY": "hunter3",
            },
            {
                "catalog-impl": "org.apache.iceberg.jdbc.JdbcCatalog",
                "uri": "jdbc:postgresql://db:5433/lake",
                "jdbc.user": "sink",
                "jdbc.password": "hunter2 $x",
                "jdbc.schema-version": "V1",
                "warehouse": "s3://lake/tables",
                "io-impl": "org.apache.iceberg.aws.s3.S3FileIO",
                "s3.endpoint": "http://minio:9000",
                "s3.path-style-access": "true",
                "s3.access-key-id": "key",
                "s3.secret-access-key": "hunter3",
                "client.region": "us-east-1",
            },
        ),
        (
            {"CATALOG_URI": "https://catalog.example", "CATALOG_TOKEN": "hunter2"},
            {"type": "rest", "uri": "https://catalog.example", "token": "hunter2"},
        ),
    ],
)
def test_spark_gets_our_settings_in_a_file_that_is_gone_afterwards(
    bin_folder: Path, settings: dict[str, str], properties: dict[str, str]
) -> None:
    done = run(bin_folder, settings)

    assert done.returncode == 0, done.stderr
    arguments, mode, *lines = done.stdout.splitlines()
    found = dict(
        re.findall(r"^spark\.sql\.catalog\.fraudlake\.(\S+) (.*)$", "\n".join(lines), re.M)
    )
    assert found == properties
    assert mode == "-rw-------"
    assert "hunter" not in arguments
    assert arguments.endswith("-e select 1")
    assert list(bin_folder.parent.iterdir()) == [bin_folder]


def test_a_catalog_that_spark_cannot_share_is_refused(bin_folder: Path) -> None:
    done = run(bin_folder, {})

    assert done.returncode != 0
    assert "FRAUDLAKE_LAKEHOUSE_CATALOG_URI must be https://" in done.stderr
    assert list(bin_folder.parent.iterdir()) == [bin_folder]


def test_upkeep_looks_after_every_table() -> None:
    text = (FOLDER / "spark_upkeep.sql").read_text()

    for call in ("rewrite_data_files", "expire_snapshots", "remove_orphan_files"):
        named = re.findall(rf"{call}\(\s*table => 'fraud\.(\w+)'", text)
        assert named == [table.name for table in TABLES]
