"""``jars.lock``: which files the stack runs, each with its SHA-256.

A line is ``group:artifact:version[:classifier]@type  sha256``; ``#`` begins a comment. Files lie in
Maven's repository layout, which says the same as the coordinates.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipelines.errors import StackError

HEADER = "# Written by `fraudlake jars lock` from pom.xml: coordinates and SHA-256 of every file.\n"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Artifact:
    """One file of a Maven repository."""

    group: str
    name: str
    version: str
    classifier: str = ""
    type: str = "jar"

    def __str__(self) -> str:
        middle = f":{self.classifier}" if self.classifier else ""
        return f"{self.group}:{self.name}:{self.version}{middle}@{self.type}"

    @property
    def path(self) -> PurePosixPath:
        """Its place in the repository layout.

        >>> str(Artifact(group="org.x", name="y", version="1", type="zip").path)
        'org/x/y/1/y-1.zip'
        """
        tail = f"-{self.classifier}" if self.classifier else ""
        folder = PurePosixPath(*self.group.split("."), self.name, self.version)
        return folder / f"{self.name}-{self.version}{tail}.{self.type}"


Lock = dict[Artifact, str]


def parse_artifact(text: str) -> Artifact:
    """The artifact that ``str(artifact)`` wrote."""
    coordinates, _, kind = text.partition("@")
    parts = coordinates.split(":")
    if kind == "" or not 3 <= len(parts) <= 4 or "" in parts:
        msg = f"'{text}' - must be group:artifact:version[:classifier]@type"
        raise StackError(msg)
    classifier = parts[3] if len(parts) == 4 else ""
    return Artifact(
        group=parts[0], name=parts[1], version=parts[2], classifier=classifier, type=kind
    )


def artifact_at(path: PurePosixPath) -> Artifact:
    """The artifact whose place in the repository layout is ``path``."""
    *group, name, version, file = path.parts
    rest, _, kind = file.removeprefix(f"{name}-{version}").rpartition(".")
    return Artifact(
        group=".".join(group),
        name=name,
        version=version,
        classifier=rest.removeprefix("-"),
        type=kind,
    )


def read_lock(file: Path) -> Lock:
    """The lock's lines; StackError names the first line that is wrong."""
    lock: Lock = {}
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip() == "" or line.startswith("#"):
            continue
        coordinates, _, digest = line.partition("  ")
        if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
            msg = f"{file} line {number}: '{line}' does not end in two blanks and a SHA-256"
            raise StackError(msg)
        lock[parse_artifact(coordinates)] = digest
    return lock


def render_lock(lock: Lock) -> str:
    """The text of the lock, sorted, so that a change reads well in a diff."""
    return HEADER + "".join(f"{artifact}  {lock[artifact]}\n" for artifact in sorted(lock))


def lock_digest(lock: Lock) -> str:
    """A short name for exactly this set of files; comments do not change it."""
    return hashlib.sha256(render_lock(lock).encode()).hexdigest()[:16]


def file_digest(file: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
