"""Rows that are read when a question scans them, and not before.

What DuckDB cannot read by itself (metadata, tables with delete files) costs nothing to a question
about something else. A failure is raised where the rows are needed, and kept: DuckDB's own error
only quotes it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import FraudlakeError

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa


class LateRows:
    """An object to register with DuckDB; ``read`` is called for each scan of it."""

    def __init__(self, schema: pa.Schema, read: Callable[[], pa.RecordBatchReader]) -> None:
        self._schema = schema
        self._read = read
        self.is_read = False
        self.failure: FraudlakeError | OSError | None = None

    def __arrow_c_schema__(self) -> object:
        return self._schema.__arrow_c_schema__()

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        self.is_read = True
        try:
            return self._read().cast(self._schema).__arrow_c_stream__(requested_schema)
        except (FraudlakeError, OSError) as error:
            self.failure = error
            raise

    def take_failure(self) -> FraudlakeError | OSError | None:
        """Why the last scan failed, once; None if it did not."""
        failure, self.failure = self.failure, None
        return failure

    def take_read(self) -> bool:
        """True, once, if the rows were read."""
        is_read, self.is_read = self.is_read, False
        return is_read
