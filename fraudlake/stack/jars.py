"""The jars of the servers: fetched once, checked against ``jars.lock``, kept in the cache.

Where they come from: the folder in ``FRAUDLAKE_JARS`` if it is set, else Maven. Either way every
file must have the SHA-256 of the lock before the cache takes it; from then on the cache is trusted,
and ``verify_jars`` looks again.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from fraudlake.stack.cache import cache_dir, publish
from fraudlake.stack.lock import (
    Artifact,
    Lock,
    artifact_at,
    file_digest,
    lock_digest,
    read_lock,
    render_lock,
)
from fraudlake.stack.maven import copy_dependencies
from fraudlake.stack.project import LOCK_FILE
from pipelines.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping

JARS_VARIABLE = "FRAUDLAKE_JARS"
CONNECTOR = "flink-sql-connector-kafka"
ELASTICSEARCH_GROUP = "org.elasticsearch.distribution.integ-test-zip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Jars:
    """The files of one lock, in the cache."""

    repository: Path
    kafka: tuple[Path, ...]
    """The broker's class path."""
    connector: Path
    elasticsearch: Path
    """The unpacked server."""


def fetch_jars(environ: Mapping[str, str] = os.environ, *, lock_file: Path = LOCK_FILE) -> Jars:
    """The jars, fetched first if the cache lacks them; StackError says what to do."""
    lock = read_lock(lock_file)
    entry = publish(_entry(lock, environ), lambda draft: _fill(draft, lock, environ))
    return _describe(entry, lock)


def cached_jars(
    environ: Mapping[str, str] = os.environ, *, lock_file: Path = LOCK_FILE
) -> Jars | None:
    """The jars if the cache holds them; never downloads."""
    lock = read_lock(lock_file)
    entry = _entry(lock, environ)
    return _describe(entry, lock) if entry.is_dir() else None


def connector_jar(environ: Mapping[str, str] = os.environ) -> Path:
    """Flink's Kafka connector, fetched first if need be."""
    return fetch_jars(environ).connector


def verify_jars(jars: Jars, *, lock_file: Path = LOCK_FILE) -> list[str]:
    """A sentence for every cached file that is not what the lock says; empty if all are."""
    return _faults(jars.repository, read_lock(lock_file))


def write_lock(environ: Mapping[str, str] = os.environ, *, lock_file: Path = LOCK_FILE) -> Lock:
    """Resolve the pom anew and write what it gives to the lock, which is returned."""
    with tempfile.TemporaryDirectory(prefix="fraudlake-lock-") as draft:
        copy_dependencies(Path(draft), environ=environ)
        lock = _digests(Path(draft))
    lock_file.write_text(render_lock(lock), encoding="utf-8")
    return lock


def _entry(lock: Lock, environ: Mapping[str, str]) -> Path:
    return cache_dir(environ) / f"jars-{lock_digest(lock)}"


def _fill(draft: Path, lock: Lock, environ: Mapping[str, str]) -> None:
    repository = draft / "repository"
    named = environ.get(JARS_VARIABLE, "")
    if named == "":
        resolved = draft / "resolved"
        copy_dependencies(resolved, environ=environ)
        _take({path.name: path for path in resolved.rglob("*")}, lock, repository)
        shutil.rmtree(resolved)
    else:
        _take(_ready_made(Path(named), lock), lock, repository)
    faults = _faults(repository, lock)
    if faults:
        raise StackError("; ".join(faults))
    _unpack(repository / _elasticsearch(lock).path, draft)


def _ready_made(folder: Path, lock: Lock) -> dict[str, Path]:
    """Files by name, wherever they lie below ``folder``: flat or as a Maven repository."""
    files = {path.name: path for path in folder.rglob("*") if path.is_file()}
    missing = [artifact.path.name for artifact in sorted(lock) if artifact.path.name not in files]
    if missing:
        msg = (
            f"{JARS_VARIABLE}={folder}: {len(missing)} of {len(lock)} files of jars.lock are not "
            f"there, such as {missing[0]}. Complete the folder, or unset the variable to download"
        )
        raise StackError(msg)
    return files


def _take(files: Mapping[str, Path], lock: Lock, repository: Path) -> None:
    for artifact in lock:
        found = files.get(artifact.path.name)
        if found is not None:
            place = repository / artifact.path
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(found, place)


def _faults(repository: Path, lock: Lock) -> list[str]:
    faults = []
    for artifact, expected in lock.items():
        file = repository / artifact.path
        if not file.is_file():
            faults.append(
                f"{artifact} stands in jars.lock, and pom.xml does not bring it. "
                "Write the lock anew with `fraudlake jars lock`"
            )
        elif (found := file_digest(file)) != expected:
            faults.append(
                f"{artifact} has SHA-256 {found}, and jars.lock says {expected}: the file was "
                "altered or cut short on its way. Delete it from ~/.m2/repository (or from the "
                f"folder in {JARS_VARIABLE}) and run `fraudlake jars fetch` again"
            )
    return faults


def _digests(repository: Path) -> Lock:
    kinds = (".jar", ".zip")
    return {
        artifact_at(PurePosixPath(path.relative_to(repository))): file_digest(path)
        for path in sorted(repository.rglob("*"))
        if path.suffix in kinds
    }


def _unpack(archive: Path, target: Path) -> None:
    """Unpack with the executable bits, which ``zipfile`` leaves out."""
    with zipfile.ZipFile(archive) as packed:
        for item in packed.infolist():
            place = Path(packed.extract(item, target))
            mode = item.external_attr >> 16
            if not item.is_dir() and mode & 0o100:
                place.chmod(0o755)


def _elasticsearch(lock: Lock) -> Artifact:
    return next(artifact for artifact in lock if artifact.group == ELASTICSEARCH_GROUP)


def _describe(entry: Path, lock: Lock) -> Jars:
    repository = entry / "repository"
    server = _elasticsearch(lock)
    connector = next(artifact for artifact in lock if artifact.name == CONNECTOR)
    broker = sorted(artifact for artifact in lock if artifact not in (server, connector))
    return Jars(
        repository=repository,
        kafka=tuple(repository / artifact.path for artifact in broker),
        connector=repository / connector.path,
        elasticsearch=entry / f"elasticsearch-{server.version}",
    )
