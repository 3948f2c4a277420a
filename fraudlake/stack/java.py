"""Finding a Java for each server: 17 (or 21) for Kafka and Flink, 21 or newer for Elasticsearch.

The variable decides if it is set; otherwise the usual places are searched and the version that was
tested most wins.
"""

from __future__ import annotations

import glob
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

JAVA_VARIABLE = "FRAUDLAKE_JAVA_HOME"
ES_JAVA_VARIABLE = "FRAUDLAKE_ES_JAVA_HOME"
_PLACES = (
    "/usr/lib/jvm/*",
    "/opt/java/*",
    "~/.sdkman/candidates/java/*",
    "~/.jdks/*",
    "/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "~/Library/Java/JavaVirtualMachines/*/Contents/Home",
    "/opt/homebrew/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
    "/usr/local/opt/openjdk*/libexec/openjdk.jdk/Contents/Home",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Java:
    """An installed Java: its home, its major version, and whether it can compile."""

    home: Path
    major: int
    has_compiler: bool

    @property
    def command(self) -> Path:
        """The ``java`` to run."""
        return self.home / "bin" / "java"


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What a server asks of its Java."""

    what: str
    variable: str
    majors: tuple[int, ...]
    """Accepted versions, the best first."""
    or_newer: bool
    compiler: bool = False

    def accepts(self, java: Java) -> bool:
        """Whether ``java`` will do."""
        newer = self.or_newer and java.major > max(self.majors)
        return (java.major in self.majors or newer) and (java.has_compiler or not self.compiler)

    def __str__(self) -> str:
        versions = " or ".join(str(major) for major in self.majors[:2])
        kind = "JDK (with javac)" if self.compiler else "Java"
        return f"{kind} {versions}{' or newer' if self.or_newer else ''}"


FOR_FLINK = Need(
    what="Kafka and Flink", variable=JAVA_VARIABLE, majors=(17, 21), or_newer=False, compiler=True
)
FOR_ELASTICSEARCH = Need(
    what="Elasticsearch", variable=ES_JAVA_VARIABLE, majors=(21,), or_newer=True
)


def find_java(need: Need, environ: Mapping[str, str] = os.environ) -> Java:
    """The Java to use; StackError says what was found and which variable to set."""
    named = environ.get(need.variable, "")
    if named != "":
        return _named(need, Path(named).expanduser())
    found = list(find_homes(environ))
    fitting = [java for java in found if need.accepts(java)]
    if not fitting:
        seen = ", ".join(f"{java.major} in {java.home}" for java in found)
        msg = (
            f"no {need} for {need.what}; found {seen if found else 'no Java at all'}. Install it "
            f"(`fraudlake doctor` shows how), or set {need.variable} to its home"
        )
        raise StackError(msg)
    return min(fitting, key=lambda java: _rank(need, java))


def find_homes(environ: Mapping[str, str] = os.environ) -> Iterator[Java]:
    """Every Java in the usual places, each once, in the order in which they are preferred."""
    seen: set[Path] = set()
    for home in _candidates(environ):
        real = home.resolve()
        java = None if real in seen else read_java(real)
        seen.add(real)
        if java is not None:
            yield java


def read_java(home: Path) -> Java | None:
    """What lies in ``home``, or None if it is not the home of a Java that says its version."""
    if not os.access(home / "bin" / "java", os.X_OK):
        return None
    major = _major(home)
    if major is None:
        return None
    return Java(home=home, major=major, has_compiler=os.access(home / "bin" / "javac", os.X_OK))


def _named(need: Need, home: Path) -> Java:
    java = read_java(home)
    if java is None:
        msg = f"{need.variable}={home}: there is no bin/java in it that runs"
        raise StackError(msg)
    if not need.accepts(java):
        what = f"Java {java.major}" + ("" if java.has_compiler else " without javac")
        msg = f"{need.variable}={home} is {what}; for {need.what} it must be {need}"
        raise StackError(msg)
    return java


def _rank(need: Need, java: Java) -> tuple[int, bool]:
    known = java.major in need.majors
    return need.majors.index(java.major) if known else len(need.majors), not java.has_compiler


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    home = environ.get("JAVA_HOME", "")
    if home != "":
        yield Path(home)
    command = shutil.which("java", path=environ.get("PATH"))
    if command is not None:
        yield Path(command).resolve().parents[1]
    for pattern in _PLACES:
        for place in sorted(glob.glob(str(Path(pattern).expanduser()))):  # noqa: PTH207 - absolute
            yield Path(place)


def _major(home: Path) -> int | None:
    release = home / "release"
    if release.is_file():
        match = re.search(r'^JAVA_VERSION="([^"]+)"', release.read_text(encoding="utf-8"), re.M)
        if match is not None:
            return parse_major(match.group(1))
    command = [str(home / "bin" / "java"), "-version"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    match = re.search(r'version "([^"]+)"', done.stderr)
    return None if match is None else parse_major(match.group(1))


def parse_major(version: str) -> int | None:
    """The major version in either spelling.

    >>> parse_major("17.0.15"), parse_major("1.8.0_402"), parse_major("25-ea")
    (17, 8, 25)
    """
    match = re.match(r"(?:1\.)?(\d+)", version)
    return None if match is None else int(match.group(1))
