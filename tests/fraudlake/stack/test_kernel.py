"""The kernel's jar: compiled once for its sources, with the compiler's words when it fails."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest

from fraudlake.stack.flink_home import FlinkHome
from fraudlake.stack.java import FOR_FLINK, find_java
from fraudlake.stack.kernel import build_kernel
from pipelines.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path

GOOD = "package io.x; public final class Answer { public int of(int asked) { return asked; } }\n"


@pytest.fixture
def flink(tmp_path: Path) -> FlinkHome:
    """A Flink without jars: the sources of these tests need none."""
    return FlinkHome(python=tmp_path / "python", home=tmp_path / "flink", version="2.3.0")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "kernel"
    (folder / "src" / "io" / "x").mkdir(parents=True)
    (folder / "src" / "io" / "x" / "Answer.java").write_text(GOOD, encoding="utf-8")
    services = folder / "resources" / "META-INF" / "services"
    services.mkdir(parents=True)
    (services / "io.x.Service").write_text("io.x.Answer\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all: the kernel that most of them begin with is compiled once."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def environ(cache: Path) -> dict[str, str]:
    try:
        java = find_java(FOR_FLINK)
    except StackError as error:
        pytest.skip(str(error))
    return {
        "FRAUDLAKE_CACHE": str(cache),
        "FRAUDLAKE_JAVA_HOME": str(java.home),
        "PATH": "",
    }


def test_jar_holds_classes_and_services_and_is_the_same_each_time(
    source: Path, flink: FlinkHome, environ: dict[str, str], tmp_path: Path
) -> None:
    first = build_kernel(flink, environ=environ, source=source)
    with zipfile.ZipFile(first) as packed:
        assert packed.namelist() == [
            "META-INF/MANIFEST.MF",
            "io/x/Answer.class",
            "META-INF/services/io.x.Service",
        ]
        # -parameters keeps the names of parameters, which Flink's process table functions need.
        assert b"MethodParameters" in packed.read("io/x/Answer.class")
    elsewhere = {**environ, "FRAUDLAKE_CACHE": str(tmp_path / "other")}
    second = build_kernel(flink, environ=elsewhere, source=source)
    assert second.read_bytes() == first.read_bytes()


def test_unchanged_kernel_is_not_compiled_again(
    source: Path, flink: FlinkHome, environ: dict[str, str]
) -> None:
    jar = build_kernel(flink, environ=environ, source=source)
    without_java = {**environ, "FRAUDLAKE_JAVA_HOME": "/nowhere"}
    assert build_kernel(flink, environ=without_java, source=source) == jar


@pytest.mark.parametrize("changed", ["src/io/x/Answer.java", "resources/META-INF/services/io.x.S"])
def test_changed_input_gives_another_jar(
    source: Path, flink: FlinkHome, environ: dict[str, str], changed: str
) -> None:
    before = build_kernel(flink, environ=environ, source=source)
    (source / changed).write_text(GOOD + "// more\n", encoding="utf-8")
    assert build_kernel(flink, environ=environ, source=source) != before


def test_another_flink_gives_another_jar(
    source: Path, flink: FlinkHome, environ: dict[str, str]
) -> None:
    before = build_kernel(flink, environ=environ, source=source)
    newer = FlinkHome(python=flink.python, home=flink.home, version="2.3.1")
    assert build_kernel(newer, environ=environ, source=source) != before


def test_compile_error_is_shown_and_leaves_no_jar(
    source: Path, flink: FlinkHome, environ: dict[str, str], tmp_path: Path
) -> None:
    own = tmp_path / "own"
    (source / "src" / "io" / "x" / "Answer.java").write_text("package io.x; class A { int x }\n")
    with pytest.raises(StackError, match=r"does not compile:\n.*Answer\.java:1: error: ';' exp"):
        build_kernel(flink, environ={**environ, "FRAUDLAKE_CACHE": str(own)}, source=source)
    assert list(own.iterdir()) == []


def test_missing_sources_are_said(flink: FlinkHome, tmp_path: Path) -> None:
    with pytest.raises(StackError, match="no Java sources below"):
        build_kernel(flink, environ={}, source=tmp_path)
