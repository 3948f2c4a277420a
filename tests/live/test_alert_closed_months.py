"""Months that are closed to writing, by whomever: the sink waits or stops, and no alert is lost."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from alert_index import MONTH, documents, fill
from alert_runs import (
    alert_id,
    await_caught_up,
    await_true,
    make_alert,
    read_dead_letters,
    running,
    send,
)

import sinks.alerts.run as sink
from pipelines.errors import SinkError
from sinks.alerts.apply import apply_index
from sinks.alerts.differences import read_differences

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings

pytestmark = pytest.mark.live


@pytest.mark.parametrize(
    "block", ["index.blocks.read_only_allow_delete", "index.blocks.write", "index.blocks.read_only"]
)
def test_sink_waits_while_the_index_is_closed_to_writing_and_then_goes_on(
    settings: Settings, index: Elasticsearch, block: str, caplog: pytest.LogCaptureFixture
) -> None:
    fill(settings, 1)
    name = f"{settings.elasticsearch.index}-{MONTH}"
    index.indices.put_settings(index=name, settings={block: True})
    send(settings, make_alert(0, 2), make_alert(1, 1))

    with running(settings) as sink_run:
        await_true(lambda: caplog.text.count("event=retry") > 1, "the sink trying twice in vain")
        assert "cluster_block_exception" in caplog.text
        assert not sink_run.done()
        assert documents(index, settings)[alert_id(0)]["fraud"]["sequence"] == 1
        index.indices.put_settings(index=name, settings={block: None})
        await_caught_up(settings)

    found = documents(index, settings)
    assert found.keys() == {alert_id(0), alert_id(1)}
    assert found[alert_id(0)]["fraud"]["sequence"] == 2


def test_sink_waits_while_an_operator_has_closed_the_month_and_then_goes_on(
    settings: Settings, index: Elasticsearch, caplog: pytest.LogCaptureFixture
) -> None:
    """Each alert of a closed month once became a dead letter."""
    fill(settings, 1)
    name = f"{settings.elasticsearch.index}-{MONTH}"
    index.indices.close(index=name)
    before = datetime.now(UTC)
    send(settings, make_alert(0, 2), make_alert(1, 1))

    with running(settings) as sink_run:
        await_true(lambda: caplog.text.count("event=retry") > 2, "the sink trying thrice in vain")
        assert "index_closed_exception" in caplog.text
        assert not sink_run.done()
        [closed] = read_differences(settings)
        assert (closed.index, closed.remedy) == (name, "by hand")
        assert f"POST /{name}/_open" in closed.text
        opening = datetime.now(UTC)
        index.indices.open(index=name)
        await_caught_up(settings)

    found = documents(index, settings)
    assert found.keys() == {alert_id(0), alert_id(1)}
    assert found[alert_id(0)]["fraud"]["sequence"] == 2
    assert read_dead_letters(settings) == []
    # The first alert was in before; the other one came when the month was opened, not before.
    arrived = {
        one: datetime.fromisoformat(found[alert_id(one)]["event"]["ingested"]) for one in (0, 1)
    }
    assert arrived[0] <= before
    # The first attempt was made two waits earlier, of 0.1 s and 0.2 s at least.
    assert arrived[1] > opening - timedelta(seconds=0.2)


def test_alias_without_a_write_index_stops_the_sink_and_costs_no_alert(
    settings: Settings, index: Elasticsearch
) -> None:
    fill(settings, 1)
    apply_index(settings, reindex=True, months=[MONTH])
    plain = f"{settings.elasticsearch.index}-{MONTH}"
    anew = f"{settings.elasticsearch.index}-r2.{MONTH}"
    index.indices.put_alias(index=anew, name=plain, is_write_index=False)
    send(settings, make_alert(0, 2))

    with pytest.raises(SinkError, match=r"no write index is defined.*Nothing is lost: .*is_write"):
        sink.run(settings, stop=threading.Event())

    assert read_dead_letters(settings) == []
    index.indices.put_alias(index=anew, name=plain, is_write_index=True)
    with running(settings):
        await_caught_up(settings)
    assert documents(index, settings)[alert_id(0)]["fraud"]["sequence"] == 2
