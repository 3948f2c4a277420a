"""The commands as they are called, some hundred times in one process."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import pytest
from typer import testing
from typer.main import get_command

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session", autouse=True)
def one_tree() -> Iterator[None]:
    """The tree of all commands is built once, as in a process of its own; each time took 20 ms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(testing, "_get_command", functools.cache(get_command))
        yield
