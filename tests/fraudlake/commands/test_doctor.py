"""The checkup: each gap is found, and comes with the command that fills it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from typer.testing import CliRunner

from fraudlake.cli import app
from fraudlake.stack.checkup import Finding, examine
from fraudlake.stack.install_hints import install_command, read_release
from pipelines.settings import FlinkSettings, LakehouseSettings, Settings, StackSettings

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Finding]:
    """A machine without Java, Maven, make, jars and Flink."""
    monkeypatch.setattr("fraudlake.stack.java._PLACES", ())
    settings = Settings(
        stack=StackSettings(home=tmp_path / "home"), flink=FlinkSettings(python="/nowhere/python")
    )
    environ = {"PATH": "", "FRAUDLAKE_CACHE": str(tmp_path / "cache")}
    return {finding.what: finding for finding in examine(settings, environ)}


def test_every_gap_is_found_with_a_command(bare: dict[str, Finding]) -> None:
    gaps = {what: finding.remedy for what, finding in bare.items() if finding.level == "missing"}
    assert gaps.keys() >= {
        "Java for Kafka and Flink",
        "Java for Elasticsearch",
        "Flink's environment",
        "mvn",
        "jars",
    }
    assert all(remedy != "" for remedy in gaps.values())
    assert bare["make"].level == "note"
    assert gaps["jars"] == "fraudlake jars fetch"


def test_checkup_changes_nothing(bare: dict[str, Finding], tmp_path: Path) -> None:
    assert bare
    assert list(tmp_path.iterdir()) == []


def test_wrong_variable_is_to_be_unset_not_reinstalled(tmp_path: Path) -> None:
    settings = Settings(stack=StackSettings(home=tmp_path))
    environ = {"PATH": "", "FRAUDLAKE_JAVA_HOME": str(tmp_path)}
    found = {finding.what: finding for finding in examine(settings, environ)}
    assert found["Java for Kafka and Flink"].remedy == "unset FRAUDLAKE_JAVA_HOME"


def test_too_little_disk_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("fraudlake.stack.checkup.NEEDED_DISK_GB", 1e9)
    settings = Settings(stack=StackSettings(home=tmp_path))
    found = {finding.what: finding for finding in examine(settings, {"PATH": ""})}
    assert found["disk"].level == "missing"


def test_a_catalog_of_ones_own_is_asked_and_the_default_one_is_not(
    bare: dict[str, Finding], tmp_path: Path
) -> None:
    file = tmp_path / "catalog.db"
    lakehouse = LakehouseSettings(catalog_uri=f"sqlite:///{file}", warehouse=str(tmp_path))
    settings = Settings(stack=StackSettings(home=tmp_path / "home"), lakehouse=lakehouse)

    found = {finding.what: finding for finding in examine(settings, {"PATH": ""})}
    assert found["lakehouse"].level == "ok"
    assert found["lakehouse"].detail.endswith("catalog.db answers; tables in namespace fraud: 0")

    file.write_text("not a database" * 100)
    found = {finding.what: finding for finding in examine(settings, {"PATH": ""})}
    assert found["lakehouse"].level == "missing"
    assert "file is not a database" in found["lakehouse"].detail
    assert "lakehouse" not in bare


@pytest.mark.parametrize(
    ("tool", "release", "expected"),
    [
        ("FRAUDLAKE_ES_JAVA_HOME", "noble", "sudo apt-get install -y openjdk-21-jre-headless"),
        ("FRAUDLAKE_JAVA_HOME", "trixie", "sudo apt-get install -y openjdk-21-jdk-headless"),
        ("FRAUDLAKE_JAVA_HOME", "bookworm", "sudo apt-get install -y openjdk-17-jdk-headless"),
    ],
)
def test_command_names_a_package_that_the_release_has(
    tool: str, release: str, expected: str
) -> None:
    assert install_command(tool, system="apt", release=release) == expected


def test_release_is_read_from_the_system(tmp_path: Path) -> None:
    file = tmp_path / "os-release"
    assert read_release(file) == ""
    file.write_text('NAME="Debian"\nVERSION_CODENAME=bookworm\n')
    assert read_release(file) == "bookworm"


def test_exit_code_and_json_agree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FRAUDLAKE_FLINK_PYTHON", "/nowhere/python")
    found = CliRunner().invoke(app, ["doctor", "--json"])
    report = json.loads(found.stdout)
    assert found.exit_code == 1
    assert report["is_healthy"] is False
    levels = {check["what"]: check["level"] for check in report["checks"]}
    assert levels["Flink's environment"] == "missing"
    assert levels["Python 3.11"] == "ok"
