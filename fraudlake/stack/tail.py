"""The end of a log, and what is added to it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BLOCK = 65_536


def last_lines(file: Path, count: int) -> list[str]:
    """The last ``count`` lines, without reading more of the file than they need."""
    with file.open("rb") as stream:
        end = stream.seek(0, os.SEEK_END)
        text = b""
        while end > 0 and text.count(b"\n") <= count:
            start = max(0, end - BLOCK)
            stream.seek(start)
            text = stream.read(end - start) + text
            end = start
    lines = text.decode("utf-8", errors="replace").splitlines()
    return lines[-count:] if count > 0 else []


def follow(file: Path, *, pause_seconds: float = 0.2) -> Iterator[str]:
    """What is written to ``file`` from now on, for ever; goes along when the log is rotated."""
    stream = file.open(encoding="utf-8", errors="replace")
    try:
        stream.seek(0, os.SEEK_END)
        while True:
            text = stream.read()
            if text != "":
                yield text
                continue
            if _was_rotated(file, stream.fileno(), stream.tell()):
                stream.close()
                stream = file.open(encoding="utf-8", errors="replace")
                continue
            time.sleep(pause_seconds)
    finally:
        stream.close()


def _was_rotated(file: Path, descriptor: int, position: int) -> bool:
    try:
        now = file.stat()
    except FileNotFoundError:
        return False  # between the old and the new file
    return now.st_ino != os.fstat(descriptor).st_ino or now.st_size < position
