"""The mark of a working sink: there while it works, and worth nothing when its process is gone."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

from fraudlake.stack.session_mark import is_marked, set_mark

if TYPE_CHECKING:
    from pathlib import Path


def test_a_mark_is_there_between_open_and_closed(tmp_path: Path) -> None:
    home = tmp_path / "home"
    assert not is_marked(home, "alerts-sink")
    set_mark(home, "alerts-sink", is_open=True)
    assert is_marked(home, "alerts-sink")
    assert not is_marked(home, "lakehouse-sink")
    set_mark(home, "alerts-sink", is_open=False)
    set_mark(home, "alerts-sink", is_open=False)
    assert not is_marked(home, "alerts-sink")


def test_the_mark_of_a_process_that_is_gone_does_not_count(tmp_path: Path) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    set_mark(tmp_path, "alerts-sink", is_open=True)
    (tmp_path / "sessions" / "alerts-sink").write_text(str(process.pid))
    assert not is_marked(tmp_path, "alerts-sink")
