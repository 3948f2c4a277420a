"""The table of columns in docs/rules.md is the one the code has."""

from __future__ import annotations

import os
import re
from pathlib import Path

from pipelines.features import load_features

PAGE = Path(__file__).parents[3] / "docs" / "rules.md"
MARKS = re.compile(r"(<!-- columns:[^\n]*-->\n)(.*)(<!-- /columns -->)", re.DOTALL)


def table() -> str:
    rows = [
        f"| `{column.name}` | {column.type} | {column.about} |"
        for column in load_features().columns().values()
    ]
    return "\n".join(["| column | type | what |", "| --- | --- | --- |", *rows]) + "\n"


def test_the_columns_on_the_page_are_those_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    found = MARKS.search(page)
    assert found is not None
    if os.environ.get("UPDATE_GOLDEN") == "1":
        PAGE.write_text(MARKS.sub(lambda m: m[1] + table() + m[3], page), encoding="utf-8")
        return
    assert found[2] == table(), "run UPDATE_GOLDEN=1 pytest on this file and look at the difference"
