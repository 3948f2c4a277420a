"""jars.lock: its lines, and that it goes with the pom."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path, PurePosixPath

import pytest

from fraudlake.stack.lock import (
    Artifact,
    artifact_at,
    lock_digest,
    parse_artifact,
    read_lock,
    render_lock,
)
from fraudlake.stack.project import LOCK_FILE, POM_FILE
from pipelines.errors import StackError

LINES = [
    (
        "org.apache.kafka:kafka_2.13:4.3.1@jar",
        "org/apache/kafka/kafka_2.13/4.3.1/kafka_2.13-4.3.1.jar",
    ),
    ("io.netty:netty:4.1:linux-x86_64@jar", "io/netty/netty/4.1/netty-4.1-linux-x86_64.jar"),
    ("a.b:c-d:1.0-2.2@zip", "a/b/c-d/1.0-2.2/c-d-1.0-2.2.zip"),
]


@pytest.mark.parametrize(("text", "path"), LINES)
def test_coordinates_and_place_say_the_same(text: str, path: str) -> None:
    artifact = parse_artifact(text)
    assert str(artifact) == text
    assert str(artifact.path) == path
    assert artifact_at(PurePosixPath(path)) == artifact


@pytest.mark.parametrize("text", ["a:b:1", "a:b@jar", "a::1@jar", "a:b:c:d:e@jar"])
def test_malformed_coordinates_are_refused(text: str) -> None:
    with pytest.raises(StackError, match="group:artifact:version"):
        parse_artifact(text)


def test_lock_survives_a_round_trip_and_its_digest_ignores_comments(tmp_path: Path) -> None:
    lock = {parse_artifact(text): str(number) * 64 for number, (text, _) in enumerate(LINES)}
    file = tmp_path / "jars.lock"
    file.write_text("# another comment\n\n" + render_lock(lock), encoding="utf-8")
    assert read_lock(file) == lock
    changed = {**lock, parse_artifact(LINES[0][0]): "f" * 64}
    assert lock_digest(changed) != lock_digest(lock) == lock_digest(read_lock(file))


def test_line_without_checksum_is_named(tmp_path: Path) -> None:
    file = tmp_path / "jars.lock"
    file.write_text("# head\na:b:1@jar  1234\n", encoding="utf-8")
    with pytest.raises(StackError, match=r"line 2: 'a:b:1@jar  1234' does not end in"):
        read_lock(file)


def test_lock_holds_what_the_pom_asks_for() -> None:
    space = "{http://maven.apache.org/POM/4.0.0}"
    asked = {
        Artifact(
            group=item.findtext(f"{space}groupId", ""),
            name=item.findtext(f"{space}artifactId", ""),
            version=item.findtext(f"{space}version", ""),
            type=item.findtext(f"{space}type", "jar"),
        )
        for item in ET.parse(POM_FILE).getroot().iter(f"{space}dependency")
    }
    assert len(asked) == 4
    assert asked <= read_lock(LOCK_FILE).keys()
