"""Finding Java: the variable first, then the best of what is installed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from fraudlake.stack.java import FOR_ELASTICSEARCH, FOR_FLINK, Java, find_java, read_java
from pipelines.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path


def install(folder: Path, version: str, *, compiler: bool = True, release: bool = True) -> Path:
    """A Java that says its version, as its file or as its command."""
    (folder / "bin").mkdir(parents=True)
    if release:
        (folder / "release").write_text(f'IMPLEMENTOR="x"\nJAVA_VERSION="{version}"\n')
    for name in ("java", "javac") if compiler else ("java",):
        (folder / "bin" / name).write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\"' >&2\n")
        (folder / "bin" / name).chmod(0o755)
    return folder


@pytest.mark.parametrize(
    ("version", "release", "major"),
    [("17.0.15", True, 17), ("1.8.0_402", True, 8), ("25", True, 25), ("21.0.2", False, 21)],
)
def test_version_is_read_from_file_or_command(
    tmp_path: Path, version: str, release: bool, major: int
) -> None:
    home = install(tmp_path / "jdk", version, release=release)
    assert read_java(home) == Java(home=home, major=major, has_compiler=True)


def test_folder_without_java_is_none(tmp_path: Path) -> None:
    assert read_java(tmp_path) is None


def test_variable_wins_over_everything(tmp_path: Path) -> None:
    named = install(tmp_path / "named", "21.0.2")
    other = install(tmp_path / "other", "17.0.1")
    environ = {"FRAUDLAKE_JAVA_HOME": str(named), "JAVA_HOME": str(other), "PATH": ""}
    assert find_java(FOR_FLINK, environ).home == named


@pytest.mark.parametrize(
    ("version", "compiler", "said"),
    [
        ("11.0.1", True, "is Java 11; for Kafka and Flink it must be JDK"),
        ("17.0.1", False, "is Java 17 without javac"),
    ],
)
def test_unfit_java_in_the_variable_is_refused(
    tmp_path: Path, version: str, compiler: bool, said: str
) -> None:
    named = install(tmp_path / "named", version, compiler=compiler)
    with pytest.raises(StackError, match=said):
        find_java(FOR_FLINK, {"FRAUDLAKE_JAVA_HOME": str(named), "PATH": ""})


def test_empty_folder_in_the_variable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="there is no bin/java in it"):
        find_java(FOR_ELASTICSEARCH, {"FRAUDLAKE_ES_JAVA_HOME": str(tmp_path), "PATH": ""})


@pytest.mark.parametrize(
    ("versions", "for_flink", "for_elasticsearch"),
    [
        (("25.0.1", "17.0.1", "21.0.1"), 17, 21),
        (("25.0.1", "21.0.1"), 21, 21),
        (("17.0.1", "25.0.1"), 17, 25),
        (("17.0.1", "11.0.1"), 17, None),
        (("25.0.1",), None, 25),
        ((), None, None),
    ],
)
def test_best_installed_version_is_taken(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    versions: tuple[str, ...],
    for_flink: int | None,
    for_elasticsearch: int | None,
) -> None:
    for version in versions:
        install(tmp_path / f"jdk-{version}", version)
    monkeypatch.setattr("fraudlake.stack.java._PLACES", (f"{tmp_path}/*",))
    for need, expected in ((FOR_FLINK, for_flink), (FOR_ELASTICSEARCH, for_elasticsearch)):
        if expected is None:
            with pytest.raises(StackError, match=re.escape(f"no {need} for {need.what}; found")):
                find_java(need, {"PATH": ""})
        else:
            assert find_java(need, {"PATH": ""}).major == expected


def test_java_on_the_path_is_followed_to_its_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = install(tmp_path / "jdk", "17.0.1")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "java").symlink_to(home / "bin" / "java")
    monkeypatch.setattr("fraudlake.stack.java._PLACES", ())
    assert find_java(FOR_FLINK, {"PATH": str(tmp_path / "bin")}).home == home
