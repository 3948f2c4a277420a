"""A file that others read while it is written: they find the old text or the new, never a part."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def write_whole(path: Path, text: str) -> None:
    """Put ``text`` in place of what ``path`` held, in one step; its folder is made if missing.

    Two that write at once do not disturb each other: one of the texts stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{uuid.uuid4().hex}.draft")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
