from __future__ import annotations

import io

import pytest
from rich.console import Console
from rich.table import Table
from rich.text import Text

from fraudlake.cases.harmless import Harmless, strip_controls


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\x1b[2Jb", "a[2Jb"),
        ("a\x9b2Jb", "a2Jb"),
        ("bell\x07, rubout\x7f", "bell, rubout"),
        ("turned \u202eround", "turned round"),
        ("two\nlines,\ta tab", "two\nlines,\ta tab"),
        ("déjà vu 日本 ━━▶", "déjà vu 日本 ━━▶"),
    ],
)
def test_control_characters_do_not_reach_a_terminal(text: str, shown: str) -> None:
    assert strip_controls(text) == shown


def test_colours_and_widths_stay() -> None:
    table = Table()
    table.add_row(Text("x\x1b]0;title\x07y", style="red"), "z")

    def draw(part: object) -> str:
        out = io.StringIO()
        Console(file=out, force_terminal=True, color_system="standard", width=40).print(part)
        return out.getvalue()

    shown = draw(Harmless(table))

    assert "\x1b]" not in shown
    assert "\x1b[31mx]0;titley\x1b[0m" in shown
    assert len({len(Text.from_ansi(line).plain) for line in shown.splitlines()}) == 1
