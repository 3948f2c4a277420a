from __future__ import annotations

import dataclasses
from random import Random
from typing import TYPE_CHECKING

import pytest
from kibana_stub import KibanaStub, running_stub

from pipelines.settings import Settings
from sinks.dashboards.kibana import Kibana

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.from_env({}, cwd=tmp_path)


@pytest.fixture
def stub() -> Iterator[KibanaStub]:
    with running_stub() as running:
        yield running


@pytest.fixture
def waits() -> list[float]:
    """The seconds that the client would have waited."""
    return []


@pytest.fixture
def kibana(settings: Settings, stub: KibanaStub, waits: list[float]) -> Kibana:
    there = dataclasses.replace(settings.kibana, url=stub.url)
    return Kibana(there, sleep=waits.append, rng=Random(1))
