"""Months that are closed to writing, by whomever: the sink waits or stops, and no alert is lost."""

from __future__ import annotations

import json
import threading
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

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
from typer.testing import CliRunner

import sinks.alerts.run as sink
from fraudlake.cli import app
from pipelines.errors import SinkError
from pipelines.kafka import connect_producer
from sinks.alerts.apply import apply_index
from sinks.alerts.differences import read_differences
from sinks.alerts.retention import Fate, expire_months, read_retention
from sinks.alerts.search import explain_closed

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

    sessions: list[bool] = []

    with running(settings, on_session=sessions.append) as sink_run:
        await_true(lambda: caplog.text.count("event=retry") > 1, "the sink trying twice in vain")
        assert sessions[-1] is False, "status says that it works"
        assert "cluster_block_exception" in caplog.text
        assert not sink_run.done()
        assert documents(index, settings)[alert_id(0)]["fraud"]["sequence"] == 1
        index.indices.put_settings(index=name, settings={block: None})
        await_caught_up(settings)
        assert sessions[-1] is True

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


def test_closed_month_is_named_wherever_its_alerts_are_missing(
    settings: Settings, index: Elasticsearch
) -> None:
    """Alerts of a closed month were once missing from lists without a word, and lost to checks."""
    flagged = connect_producer(settings.kafka)
    for _ in range(2):
        flagged.produce(settings.kafka.topics().transactions.name, b"{}", partition=0)
    assert flagged.flush(30) == 0
    send(
        settings,
        caused_by(0, make_alert(0, 1, opened_at="2026-10-31T23:59:59Z")),
        caused_by(1, make_alert(1, 1, opened_at="2026-11-01T00:00:00Z")),
    )
    with running(settings):
        await_caught_up(settings)
    assert [stored(settings)[name] for name in ("expected", "found", "unjudged")] == [2, 2, 0]

    october = f"{settings.elasticsearch.index}-2026.10"
    index.indices.close(index=october)

    said = f"{october} is closed: its alerts are in no list and no count. `POST /{october}/_open`"
    for words in (["alerts", "list", "--json"], ["alerts", "list"], ["dashboards", "show", "card"]):
        shown = CliRunner().invoke(app, words, env=settings.to_env())
        assert shown.exit_code == 0, (words, shown.exception)
        assert shown.stderr.startswith(said), words
        assert "card-0" not in shown.stdout
    for words in (["show", alert_id(0)], ["note", alert_id(0), "called"]):
        missing = CliRunner().invoke(app, ["alerts", *words], env=settings.to_env())
        assert f"see `fraudlake alerts list`. {said}" in str(missing.exception)
    finding = stored(settings)
    assert [finding[name] for name in ("expected", "found", "missing", "unjudged")] == [1, 1, 0, 1]
    assert finding["note"].startswith(f"1 alert cannot be judged: {said}")

    # What is really gone is still lost.
    index.delete(index=f"{settings.elasticsearch.index}-{MONTH}", id=alert_id(1), refresh=True)
    assert stored(settings)["examples"] == [f"{alert_id(1)} missing"]
    index.indices.open(index=october)
    assert explain_closed(settings) is None


def test_closed_month_stays_and_keeps_no_other_from_being_judged(
    settings: Settings, index: Elasticsearch
) -> None:
    """It once stopped `expire`, and `apply --reindex`, for every month."""
    days = ("2019-01-15", "2019-02-15", "2026-11-15")
    send(settings, *(make_alert(n, 1, opened_at=f"{day}T12:00:00Z") for n, day in enumerate(days)))
    with running(settings):
        await_caught_up(settings)
    prefix = settings.elasticsearch.index
    january, february, november = (f"{prefix}-{day[:7].replace('-', '.')}" for day in days)
    done = {"case": {"status": "closed"}}
    index.update(index=february, id=alert_id(1), doc=done, refresh=True)
    # Nothing of ours: the month would be built anew.
    index.indices.put_mapping(index=january, properties={"theirs": {"type": "keyword"}})
    index.indices.close(index=january)
    said: list[str] = []
    today = date(2026, 11, 27)

    planned = read_retention(settings, today=today, keep_months=1)
    expiry = expire_months(settings, today=today, keep_months=1, say=said.append)

    assert [one.fate for one in planned] == [Fate.CLOSED, Fate.EXPIRED, Fate.NEWEST]
    assert expiry.deleted == (february,)
    assert said[0].startswith(f"{january} stays, unjudged: {january} is closed: its alerts are in")
    applied = apply_index(settings, reindex=True, months=[MONTH])
    assert [one.plain_name for one in applied.rebuilt] == [november]
    assert {one.remedy: one.index for one in applied.left} == {
        "by hand": january,
        "new index": january,
    }
    with pytest.raises(SinkError, match=f"{january} is closed: .* then it can be built anew"):
        apply_index(settings, reindex=True, months=["2019.01"])


def caused_by(offset: int, alert: dict[str, Any]) -> dict[str, Any]:
    """The alert, as a decision on that record of the input made it."""
    alert["latest"]["source"] |= {"partition": 0, "offset": offset}
    return alert


def stored(settings: Settings) -> dict[str, Any]:
    """What `fraudlake reconcile` finds of alerts in the index."""
    command = ["reconcile", "--wait", "0", "--json"]
    answer = json.loads(CliRunner().invoke(app, command, env=settings.to_env()).stdout)
    [found] = [one for one in answer["findings"] if one["what"] == "alerts -> Elasticsearch"]
    return dict(found)
