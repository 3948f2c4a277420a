"""The rejects file: one JSON object for each row that did not become a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from pipelines.contracts.json_text import write_object
from pipelines.replay.rows import to_plain

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.replay.rows import Row, RowFault


class Rejects:
    """Writes rejects beside ``path``, which they replace when closed; without any there is none."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._draft = path.with_name(f"{path.name}.part")
        self._file: BinaryIO | None = None

    def write(self, row: Row, fault: RowFault) -> None:
        """One line: row number, reason, detail, the original row."""
        if self._file is None:
            self._file = self._draft.open("wb")
        reject = {
            "row": row.number,
            "reason": str(fault.reason),
            "detail": fault.detail,
            "original": to_plain(row.original),
        }
        self._file.write(write_object(reject) + b"\n")

    def close(self) -> None:
        """Everything is on disk, under its name; what an earlier run left there is gone."""
        if self._file is None:
            self._path.unlink(missing_ok=True)
        else:
            self._file.close()
            self._draft.replace(self._path)
