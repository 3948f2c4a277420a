"""Every claim names the test that shows it: the documents name tests that there are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = {path.relative_to(ROOT).as_posix(): path for path in (ROOT / "tests").rglob("test_*.py")}
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])

_FILE = re.compile(r"(?:[\w/]*/)?test_\w+\.py")
_FUNCTION = re.compile(r"`(test_\w+)`")
_TOGETHER = re.compile(r"`(test_\w+)`(?: in|,)? \[?`((?:[\w/]*/)?test_\w+\.py)`")


def find_files(name: str) -> list[Path]:
    """The test files that a document means by ``name``: a path, or the end of one."""
    wanted = name if name.startswith(("/", "tests/")) else f"/{name}"
    return [path for known, path in TESTS.items() if f"/{known}".endswith(wanted)]


def functions_of(path: Path) -> set[str]:
    return set(re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE))


def find_missing(text: str) -> list[str]:
    """What ``text`` names, and is not there."""
    everywhere = {name for path in TESTS.values() for name in functions_of(path)}
    missing = [name for name in _FILE.findall(text) if not find_files(name)]
    missing += [name for name in _FUNCTION.findall(text) if name not in everywhere]
    missing += [
        f"{function} in {name}"
        for function, name in _TOGETHER.findall(text)
        if not any(function in functions_of(path) for path in find_files(name))
    ]
    return missing


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_tests_that_a_document_names_are_there(path: Path) -> None:
    assert find_missing(path.read_text(encoding="utf-8")) == []


def test_what_is_not_there_is_found() -> None:
    here = "`test_what_is_not_there_is_found` in `tests/fraudlake/test_named_tests.py`"
    assert find_missing(here) == []
    for gone in (
        "`tests/live/test_gone.py`",
        "[proof](../tests/live/test_gone.py)",
        "`test_gone.py`",
        "`tests/live/test_named_tests.py`",
        "`test_gone`",
        "`test_what_is_not_there_is_found` in `tests/fraudlake/test_cli.py`",
    ):
        assert len(find_missing(gone)) == 1, gone
