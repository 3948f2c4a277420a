"""Deleting files of a table that nobody can reach any more."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING

from pipelines.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pyiceberg.table import Table

THREADS = 8


def remove_files(table: Table, paths: Iterable[str]) -> None:
    """Delete ``paths``; one that is gone already is as good. TransientError if one stays."""

    def remove(path: str) -> None:
        with suppress(FileNotFoundError):
            table.io.delete(path)

    try:
        with ThreadPoolExecutor(THREADS) as pool:
            for _ in pool.map(remove, sorted(paths)):
                pass
    except OSError as error:
        msg = (
            f"a file under {table.location()} cannot be deleted: {error}. Nothing is lost; "
            "`fraudlake lake sweep` takes it later"
        )
        raise TransientError(msg) from error
