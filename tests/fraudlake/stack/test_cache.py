"""The cache: where it is, and that an entry appears whole or not at all."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from fraudlake.stack.cache import cache_dir, publish


@pytest.mark.parametrize(
    ("environ", "is_root", "expected"),
    [
        ({"FRAUDLAKE_CACHE": "/somewhere"}, True, "/somewhere"),
        ({"FRAUDLAKE_CACHE": "/somewhere"}, False, "/somewhere"),
        ({}, True, "/var/cache/fraudlake"),
        ({"FRAUDLAKE_CACHE": ""}, True, "/var/cache/fraudlake"),
        ({"XDG_CACHE_HOME": "/x"}, False, "/x/fraudlake"),
        ({}, False, str(Path.home() / ".cache" / "fraudlake")),
    ],
)
def test_cache_of_root_is_where_others_can_read(
    environ: dict[str, str], is_root: bool, expected: str
) -> None:
    assert str(cache_dir(environ, is_root=is_root)) == expected


def test_failed_build_leaves_nothing(tmp_path: Path) -> None:
    def build(draft: Path) -> None:
        (draft / "half").write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        publish(tmp_path / "entry", build)
    assert list(tmp_path.iterdir()) == []


def test_entry_is_built_once_and_readable_by_all(tmp_path: Path) -> None:
    calls = []

    def build(draft: Path) -> None:
        calls.append(draft)
        (draft / "run.sh").write_text("x")
        (draft / "run.sh").chmod(0o700)
        (draft / "data").write_text("x")
        (draft / "data").chmod(0o600)

    entry = publish(tmp_path / "entry", build)
    assert publish(tmp_path / "entry", build) == entry
    assert len(calls) == 1
    modes = {path.name: oct(path.stat().st_mode & 0o777) for path in (entry, *entry.iterdir())}
    assert modes == {"entry": "0o755", "run.sh": "0o755", "data": "0o644"}


def test_two_builders_at_once_are_harmless(tmp_path: Path) -> None:
    meeting = threading.Barrier(2, timeout=10)

    def build(draft: Path) -> None:
        (draft / "content").write_text("same")
        meeting.wait()  # both are building before either publishes

    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(publish(tmp_path / "entry", build)))
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    assert found == [tmp_path / "entry"] * 2
    assert [path.name for path in tmp_path.iterdir()] == ["entry"]
    assert (tmp_path / "entry" / "content").read_text() == "same"
