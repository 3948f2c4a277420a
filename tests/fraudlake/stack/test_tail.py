"""The end of a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fraudlake.stack.tail import BLOCK, follow, last_lines

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("content", "count", "expected"),
    [
        ("", 3, []),
        ("a\nb\nc\n", 2, ["b", "c"]),
        ("a\nb\nc", 2, ["b", "c"]),
        ("a\n", 5, ["a"]),
        ("a\nb\n", 0, []),
        ("x" * BLOCK + "\n" + "y" * BLOCK + "\nz\n", 2, ["y" * BLOCK, "z"]),
    ],
)
def test_last_lines(tmp_path: Path, content: str, count: int, expected: list[str]) -> None:
    file = tmp_path / "log"
    file.write_text(content)
    assert last_lines(file, count) == expected


def test_follow_goes_along_when_the_log_is_rotated(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("old\n")
    lines = follow(file, pause_seconds=0.01)

    def write(text: str, mode: str) -> None:
        with file.open(mode) as stream:
            stream.write(text)

    # The first text must be there before a generator that waits for it is asked.
    import threading

    threading.Timer(0.1, write, ("one\n", "a")).start()
    assert next(lines) == "one\n"
    file.rename(tmp_path / "log.1")
    write("two\n", "w")
    assert next(lines) == "two\n"
