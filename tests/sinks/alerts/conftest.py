"""An alert by hand, to be bent by each test."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Bend = Callable[..., dict[str, Any]]


@pytest.fixture
def make_record() -> Bend:
    """The example alert as an object; keywords replace its top-level fields."""

    def make(**changes: Any) -> dict[str, Any]:
        text = Path(__file__).with_name("alert_record.json").read_text(encoding="utf-8")
        return {**json.loads(text), **changes}

    return make


@pytest.fixture
def make_value(make_record: Bend) -> Callable[..., bytes]:
    """The same as the bytes of a record."""
    return lambda **changes: json.dumps(make_record(**changes)).encode()
