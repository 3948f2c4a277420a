"""Clearing away the checkpoints and savepoints of jobs that others have long replaced.

Flink keeps both when a job ends, and nothing else deletes them. What is deleted belongs to jobs
that this pipeline has deployed itself, by the record it keeps of them, and that at least two
deployments have replaced. Kept, whatever the record says: the two newest states, the state that
the job went on from, all that a job still working writes, and every folder that is not this
machine's.
"""

from __future__ import annotations

import dataclasses
import re
import shutil
from typing import TYPE_CHECKING

from fraudlake.job.kept_parts import forget_parts
from fraudlake.job.saved_state import checkpoint_folder, local_path
from pipelines.job_memory import remember, remembered

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from pipelines.job_memory import Remembered
    from pipelines.settings import Settings

KEPT_STATES = 2
_JOB_ID = re.compile(r"[0-9a-f]{32}")


def clear_old_states(settings: Settings, *, working: Collection[str]) -> list[Path]:
    """Delete what no deployment needs any more; the folders deleted, for who holds the job.

    To be called once the new job has a checkpoint of its own: until then the old state is its own.
    ``working``: the jobs that Flink still works on. What cannot be deleted stays on the record, and
    is tried again by the next deployment.
    """
    folder, known = checkpoint_folder(settings), remembered(settings)
    if folder is None or known is None or not folder.is_dir():
        return []
    folder = folder.resolve()
    kept = _kept_states(folder, known)
    deleted: list[Path] = []
    left: dict[str, str | None] = {}
    # The last one on the record was replaced once only.
    last = next(reversed(known.superseded), None)
    for job_id, savepoint in known.superseded.items():
        places = _places(folder, job_id, savepoint)
        is_needed = any(state.is_relative_to(place) for state in kept for place in places)
        if job_id in (last, known.job_id) or job_id in working or is_needed:
            left[job_id] = savepoint
            continue
        gone = [place for place in places if _delete(place)]
        deleted += gone
        if len(gone) < len(places):
            left[job_id] = savepoint
        elif _JOB_ID.fullmatch(job_id):
            forget_parts(settings, job_id)
    remember(settings, dataclasses.replace(known, superseded=left))
    return deleted


def _kept_states(folder: Path, known: Remembered) -> list[Path]:
    """The newest states of the jobs on the record, and the one that the job went on from."""
    whole: list[Path] = []
    for job_id, savepoint in (*known.superseded.items(), (known.job_id, known.savepoint)):
        for place in _places(folder, job_id, savepoint):
            whole += [
                found.parent for found in (place / "_metadata", *place.glob("chk-*/_metadata"))
            ]
    dated = sorted(_dated(whole), reverse=True)
    kept = [state for _, state in dated[:KEPT_STATES]]
    origin = None if known.origin is None else local_path(known.origin)
    return kept if origin is None else [*kept, origin.resolve()]


def _dated(states: list[Path]) -> list[tuple[int, Path]]:
    """When each was whole; a running job's own may vanish while we look."""
    dated: list[tuple[int, Path]] = []
    for state in states:
        try:
            dated.append(((state / "_metadata").stat().st_mtime_ns, state))
        except FileNotFoundError:
            continue
    return dated


def _places(folder: Path, job_id: str, savepoint: str | None) -> list[Path]:
    """The folders of a job that are there: its checkpoints, and the savepoint of its stop.

    Only such as lie directly in the pipeline's folder and bear the job's name: a savepoint that a
    person has put elsewhere is theirs.
    """
    if not _JOB_ID.fullmatch(job_id):
        return []
    places = [folder / job_id]
    stopped = None if savepoint is None else local_path(savepoint)
    if stopped is not None and stopped.name.startswith(f"savepoint-{job_id[:6]}-"):
        places.append(stopped)
    return [
        place
        for place in places
        if place.is_dir() and not place.is_symlink() and place.resolve().parent == folder
    ]


def _delete(place: Path) -> bool:
    """Whether it is gone; another user's files stay."""
    shutil.rmtree(place, ignore_errors=True)
    return not place.exists()
