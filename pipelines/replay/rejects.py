"""The rejects file: one JSON object for each row that did not become a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from pipelines.contracts.json_text import write_object
from pipelines.replay.rows import to_plain

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.replay.rows import Row, RowFault


class Rejects:
    """Writes rejects to ``path``, anew; without any there is no file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        path.unlink(missing_ok=True)

    def write(self, row: Row, fault: RowFault) -> None:
        """One line: row number, reason, detail, the original row."""
        if self._file is None:
            self._file = self._path.open("wb")
        reject = {
            "row": row.number,
            "reason": str(fault.reason),
            "detail": fault.detail,
            "original": to_plain(row.original),
        }
        self._file.write(write_object(reject) + b"\n")

    def close(self) -> None:
        """Everything is on disk."""
        if self._file is not None:
            self._file.close()
