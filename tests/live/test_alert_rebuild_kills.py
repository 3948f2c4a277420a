"""A rebuild of a month that is killed after each of its steps, and run again."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from alert_index import MONTH, documents, fill, names
from alert_runs import alert_id, await_caught_up, make_alert, running, send

from sinks.alerts.apply import apply_index
from sinks.alerts.differences import read_differences

if TYPE_CHECKING:
    from collections.abc import Callable

    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings

pytestmark = pytest.mark.live

STEPS = ("scan", "write_copies", "block_writes", "count_documents", "_compare_counts", "_swap")


@pytest.mark.parametrize("step", STEPS)
def test_rebuild_killed_at_any_step_is_done_by_running_it_again(
    settings: Settings, index: Elasticsearch, change_template: Callable[..., None], step: str
) -> None:
    fill(settings, 20)
    before = documents(index, settings)
    change_template({"fraud.hits": {"type": "keyword"}})

    killed = start_rebuild(settings, die_after=step)

    assert killed.wait(60) == -9
    assert documents(index, settings) == before
    if step == "_swap":
        assert names(index, settings) == [f"r2.{MONTH}"]
    else:
        assert names(index, settings) == [MONTH, f"r2.{MONTH}"]
        assert "copy" in {one.about for one in read_differences(settings)}
    applied = apply_index(settings, reindex=True)
    assert applied.left == []
    assert documents(index, settings) == before
    assert names(index, settings) == [f"r2.{MONTH}" if step == "_swap" else f"r3.{MONTH}"]
    # It is open to writing, and the sink goes on.
    send(settings, make_alert(3, 2))
    with running(settings):
        await_caught_up(settings)
    assert documents(index, settings)[alert_id(3)]["fraud"]["sequence"] == 2


def start_rebuild(settings: Settings, *, die_after: str) -> subprocess.Popen[bytes]:
    """A process that ends itself, without a word, when ``die_after`` has returned."""
    code = f"""
import os, signal
from pipelines.settings import Settings
from sinks.alerts import apply, rebuild, template
parts = template.read_parts()
parts["mappings"]["properties"]["fraud"]["properties"]["hits"] = {{"type": "keyword"}}
template.read_parts = lambda: parts
step = rebuild.{die_after}
def die(*args, **kwargs):
    result = step(*args, **kwargs)
    if "{die_after}" == "scan":
        result = list(result)
    os.kill(os.getpid(), signal.SIGKILL)
rebuild.{die_after} = die
apply.apply_index(Settings.from_env(), reindex=True)
"""
    environ = {**os.environ, **settings.to_env()}
    return subprocess.Popen([sys.executable, "-c", code], env=environ)
