"""A file that others read while it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.whole_file import write_whole

if TYPE_CHECKING:
    from pathlib import Path


def test_reader_who_opened_the_old_text_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "made" / "job.json"
    write_whole(path, "old and longer")
    with path.open(encoding="utf-8") as reading:
        write_whole(path, "new é")
        assert reading.read() == "old and longer"
    assert path.read_text(encoding="utf-8") == "new é"
    assert [file.name for file in path.parent.iterdir()] == ["job.json"]
