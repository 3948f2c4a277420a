"""The state to go on from: the newest whole savepoint or checkpoint of the last deployment.

An older one would decide again what was decided since. So where the newest cannot be told, the
answer is an error and never a guess.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlparse

from pipelines.errors import JobError
from pipelines.flink import FlinkRest
from pipelines.job_memory import Remembered, remembered

if TYPE_CHECKING:
    from pipelines.settings import Settings

# Flink names a savepoint savepoint-<so much of the job's id>-<random>.
_ID_PART = 6


def newest_state(settings: Settings) -> str | None:
    """The URI of the newest savepoint or whole checkpoint; None if the job never ran.

    JobError: the last deployment ran, and what it has left cannot be found.
    """
    known = remembered(settings)
    if known is None:
        return None
    if known.savepoint is not None:
        return _require(settings, known, known.savepoint)
    folder = checkpoint_folder(settings)
    if folder is None:
        return _ask_flink(settings, known)
    found = _left_behind(folder, known.job_id)
    if found:
        newest = max(found, key=lambda path: (path / "_metadata").stat().st_mtime_ns)
        return newest.resolve().as_uri()
    if known.has_run and not (folder / known.job_id).exists():
        return _ask_flink(settings, known)
    # Without a checkpoint it has committed nothing: all it did is done again.
    return _origin(settings, known)


def named_state(path: str) -> str:
    """A savepoint or checkpoint named by a person, as a URI; JobError if a local one is not whole.

    A URI is left to Flink, who may see what this machine does not.
    """
    if "://" in path or path.startswith("file:"):
        return path
    folder = Path(path).absolute()
    if not (folder / "_metadata").is_file():
        msg = (
            f"{path} is no whole savepoint or checkpoint: it has no file _metadata. "
            "Name a folder like savepoint-1a2b3c-0123456789ab or …/chk-42"
        )
        raise JobError(msg)
    return folder.as_uri()


def checkpoint_folder(settings: Settings) -> Path | None:
    """Where checkpoints and savepoints lie; None if that is not a folder of this machine."""
    named = settings.flink.checkpoint_dir
    if named == "":
        return settings.stack.home / "flink" / "checkpoints"
    return local_path(named)


def checkpoint_uri(settings: Settings) -> str:
    """The same folder as Flink is told it, wherever it is."""
    folder = checkpoint_folder(settings)
    return settings.flink.checkpoint_dir if folder is None else folder.resolve().as_uri()


def _left_behind(folder: Path, job_id: str) -> list[Path]:
    """Whole checkpoints and savepoints of a job; half-written ones have no ``_metadata``."""
    savepoint = f"savepoint-{job_id[:_ID_PART]}-*/_metadata"
    found = [*folder.glob(f"{job_id}/chk-*/_metadata"), *folder.glob(savepoint)]
    # Those asked for on Flink's own ways lie where the local cluster is set to put them.
    for place in (folder / "savepoints", folder.parent / "savepoints"):
        found += place.glob(savepoint)
    return [path.parent for path in found]


def _ask_flink(settings: Settings, known: Remembered) -> str | None:
    """What the cluster says of the job, as long as it knows it."""
    rest = FlinkRest(settings.flink.rest_url)
    if rest.is_known(known.job_id):
        newest = rest.newest_saved(known.job_id)
        return _origin(settings, known) if newest is None else newest
    if known.has_run:
        raise JobError(_nothing_found(settings, known, "and Flink knows it no longer"))
    return _origin(settings, known)


def _origin(settings: Settings, known: Remembered) -> str | None:
    return None if known.origin is None else _require(settings, known, known.origin)


def _require(settings: Settings, known: Remembered, uri: str) -> str:
    """The URI, unless this machine can see that nothing is there."""
    path = local_path(uri)
    seen = checkpoint_folder(settings)
    is_ours = path is not None and seen is not None and seen.is_dir()
    if path is not None and is_ours and not (path / "_metadata").is_file():
        raise JobError(_nothing_found(settings, known, f"and {uri} is not there"))
    return uri


def _nothing_found(settings: Settings, known: Remembered, detail: str) -> str:
    where = settings.flink.checkpoint_dir or checkpoint_folder(settings)
    return (
        f"no savepoint or checkpoint of job {known.job_id} can be found in {where}, {detail}. "
        "Name one with `fraudlake job submit --savepoint PATH`, or forget all profiles with --fresh"
    )


def local_path(uri: str) -> Path | None:
    """The folder of this machine that a path or URI names; None if it lies elsewhere."""
    parsed = urlparse(uri)
    return Path(unquote(parsed.path)) if parsed.scheme in ("", "file") else None
