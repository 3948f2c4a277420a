"""The cache of downloaded and built files: one folder per user, whose entries never change.

An entry is named by the hash of what it was made from, built beside its place and moved there in
one step. So a half-made entry is never seen, and two processes at once are harmless: the second
throws its copy away.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CACHE_VARIABLE = "FRAUDLAKE_CACHE"
ROOT_CACHE = Path("/var/cache/fraudlake")


def cache_dir(environ: Mapping[str, str] = os.environ, *, is_root: bool | None = None) -> Path:
    """The folder named by ``FRAUDLAKE_CACHE``, else one in the user's home.

    For root it is not in root's home: Elasticsearch then runs as ``nobody``, who cannot enter it.
    """
    named = environ.get(CACHE_VARIABLE)
    if named is not None and named != "":
        return Path(named).expanduser().absolute()
    if os.geteuid() == 0 if is_root is None else is_root:
        return ROOT_CACHE
    return Path(environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "fraudlake"


def publish(entry: Path, build: Callable[[Path], None]) -> Path:
    """Return ``entry``, made by ``build(folder)`` if it is not there yet.

    What ``build`` raises leaves no trace.
    """
    if entry.is_dir():
        return entry
    entry.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{entry.name}-", dir=entry.parent))
    try:
        build(draft)
        _open_to_all(draft)
        _move(draft, entry)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return entry


def _move(draft: Path, entry: Path) -> None:
    try:
        draft.rename(entry)
    except OSError:
        if not entry.is_dir():  # else another process was quicker, and its copy is as good
            raise


def _open_to_all(folder: Path) -> None:
    """Readable whatever the umask: a server may run as another user than the one who fetched."""
    for path in (folder, *folder.rglob("*")):
        if not path.is_symlink():
            executable = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if executable else 0o644)
