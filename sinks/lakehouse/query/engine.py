"""The DuckDB that answers questions: its own, bounded, and closed to everything but reading.

Three locks, each enough alone against what it is for: only a SELECT is run (``lake.py``), in a
transaction that cannot write, by an engine whose settings can no longer be changed. It loads no
extension and sees no variable of Python. Files of the user's own can be read, because analysts join
with them: a question has the rights of who asks it, as `cat` has.
"""

from __future__ import annotations

import os
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipelines.settings import Settings


@contextmanager
def connect(settings: Settings) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection for views to be made in; what does not fit in memory goes to the stack's home.

    To the system's own folder for such files where the home is not there or not the user's to write
    in. ``lock`` the connection before questions are asked.
    """
    home = settings.stack.home if os.access(settings.stack.home, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="sql-", dir=home) as folder:
        connection = duckdb.connect(
            config={
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
                "memory_limit": f"{settings.lakehouse.sql_memory_mb}MB",
                "temp_directory": folder,
            }
        )
        try:
            connection.execute("SET TimeZone = 'UTC'; SET python_enable_replacements = false")
            yield connection
        finally:
            connection.close()


def lock(connection: duckdb.DuckDBPyConnection) -> None:
    """From here on no question can change how others are answered."""
    connection.execute("SET lock_configuration = true")


@contextmanager
def reading(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Within the block the connection cannot write to any database, its own included."""
    connection.execute("BEGIN TRANSACTION READ ONLY")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
