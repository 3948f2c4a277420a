"""The jars: taken from a folder or from Maven, and never unchecked."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from fraudlake.stack import jars
from fraudlake.stack.lock import Lock, parse_artifact, render_lock
from pipelines.errors import StackError

BROKER = parse_artifact("org.apache.kafka:kafka_2.13:4.3.1@jar")
CONNECTOR = parse_artifact("org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2@jar")
SERVER = parse_artifact("org.elasticsearch.distribution.integ-test-zip:elasticsearch:9.5.0@zip")


def a_server() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        script = zipfile.ZipInfo("elasticsearch-9.5.0/bin/elasticsearch")
        script.external_attr = 0o100755 << 16
        packed.writestr(script, "#!/bin/bash\n")
        packed.writestr("elasticsearch-9.5.0/config/elasticsearch.yml", "")
    return content.getvalue()


@pytest.fixture
def world(tmp_path: Path) -> tuple[dict[str, str], Path, Path]:
    """An environment, a lock of three files, and a flat folder that holds them."""
    contents = {BROKER: b"broker", CONNECTOR: b"connector", SERVER: a_server()}
    folder = tmp_path / "ready-made"
    folder.mkdir()
    lock: Lock = {}
    for artifact, content in contents.items():
        (folder / artifact.path.name).write_bytes(content)
        lock[artifact] = hashlib.sha256(content).hexdigest()
    lock_file = tmp_path / "jars.lock"
    lock_file.write_text(render_lock(lock), encoding="utf-8")
    cache = tmp_path / "cache"
    environ = {"FRAUDLAKE_CACHE": str(cache), "FRAUDLAKE_JARS": str(folder), "PATH": ""}
    return environ, lock_file, folder


def test_ready_made_folder_fills_the_cache(world: tuple[dict[str, str], Path, Path]) -> None:
    environ, lock_file, _ = world
    assert jars.cached_jars(environ, lock_file=lock_file) is None
    found = jars.fetch_jars(environ, lock_file=lock_file)
    assert [jar.name for jar in found.kafka] == ["kafka_2.13-4.3.1.jar"]
    assert found.connector.read_bytes() == b"connector"
    assert (found.elasticsearch / "bin" / "elasticsearch").stat().st_mode & 0o111 == 0o111
    assert jars.verify_jars(found, lock_file=lock_file) == []
    # Without the folder and without Maven the cache is enough.
    alone = {"FRAUDLAKE_CACHE": environ["FRAUDLAKE_CACHE"], "PATH": ""}
    assert jars.fetch_jars(alone, lock_file=lock_file) == found


def test_altered_file_is_refused_and_leaves_no_cache(
    world: tuple[dict[str, str], Path, Path],
) -> None:
    environ, lock_file, folder = world
    (folder / CONNECTOR.path.name).write_bytes(b"evil")
    evil = hashlib.sha256(b"evil").hexdigest()
    with pytest.raises(StackError, match=rf"{CONNECTOR} has SHA-256 {evil}, and jars.lock says"):
        jars.fetch_jars(environ, lock_file=lock_file)
    assert list(Path(environ["FRAUDLAKE_CACHE"]).iterdir()) == []


def test_file_altered_in_the_cache_is_found_by_verify(
    world: tuple[dict[str, str], Path, Path],
) -> None:
    environ, lock_file, _ = world
    found = jars.fetch_jars(environ, lock_file=lock_file)
    found.connector.write_bytes(b"rotten")
    (fault,) = jars.verify_jars(found, lock_file=lock_file)
    assert str(CONNECTOR) in fault


def test_incomplete_folder_names_a_missing_file(world: tuple[dict[str, str], Path, Path]) -> None:
    environ, lock_file, folder = world
    (folder / BROKER.path.name).unlink()
    with pytest.raises(StackError, match=r"1 of 3 files .* such as kafka_2.13-4.3.1.jar"):
        jars.fetch_jars(environ, lock_file=lock_file)


def test_without_maven_the_error_says_what_to_do(
    world: tuple[dict[str, str], Path, Path],
) -> None:
    environ, lock_file, _ = world
    alone = {"FRAUDLAKE_CACHE": environ["FRAUDLAKE_CACHE"], "PATH": ""}
    with pytest.raises(StackError, match=r"Maven .* is not on the PATH.*FRAUDLAKE_JARS="):
        jars.fetch_jars(alone, lock_file=lock_file)


def test_maven_without_network_is_one_sentence_with_a_way_out(
    world: tuple[dict[str, str], Path, Path], tmp_path: Path
) -> None:
    environ, lock_file, _ = world
    maven = tmp_path / "bin" / "mvn"
    maven.parent.mkdir()
    maven.write_text(
        "#!/bin/sh\n"
        "echo '[ERROR] Could not transfer artifact a:b from central: repo: Unknown host'; exit 1\n"
    )
    maven.chmod(0o755)
    offline = {"FRAUDLAKE_CACHE": environ["FRAUDLAKE_CACHE"], "PATH": f"{maven.parent}:/bin"}
    with pytest.raises(StackError, match=r"no network.*FRAUDLAKE_JARS.*Could not transfer"):
        jars.fetch_jars(offline, lock_file=lock_file)


def test_lock_is_written_from_what_maven_brings(
    world: tuple[dict[str, str], Path, Path], tmp_path: Path
) -> None:
    _, lock_file, folder = world
    maven = tmp_path / "bin" / "mvn"
    maven.parent.mkdir()
    copies = "".join(
        f'mkdir -p "$out/{artifact.path.parent}"\n'
        f'cp "{folder / artifact.path.name}" "$out/{artifact.path}"\n'
        for artifact in (BROKER, CONNECTOR, SERVER)
    )
    maven.write_text(
        '#!/bin/sh\nfor word in "$@"; do case $word in -DoutputDirectory=*) out=${word#*=};; '
        f'esac; done\n{copies}echo junk > "$out/_remote.repositories"\n'
    )
    maven.chmod(0o755)
    written = tmp_path / "new.lock"
    jars.write_lock({"PATH": f"{maven.parent}:/bin:/usr/bin"}, lock_file=written)
    assert written.read_text() == lock_file.read_text()
