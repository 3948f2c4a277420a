"""The alert sink against a real broker and a real index."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from alert_index import get
from alert_runs import (
    alert_id,
    await_caught_up,
    await_true,
    indexed_ids,
    make_alert,
    read_dead_letters,
    rewind,
    running,
    send,
)
from gate import Gate

import sinks.alerts.run as sink
from pipelines.errors import SinkError
from sinks.alerts.months import Months
from sinks.alerts.search import Wanted, list_alerts, read_alert, read_index_count
from sinks.alerts.template import apply_template

if TYPE_CHECKING:
    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings

pytestmark = pytest.mark.live


def test_redelivery_changes_nothing(settings: Settings, index: Elasticsearch) -> None:
    send(settings, *(make_alert(number, 1) for number in range(5)))
    with running(settings):
        await_caught_up(settings)
    before = [get(index, settings, number) for number in range(5)]

    rewind(settings, records=5)
    with running(settings):
        await_caught_up(settings)

    assert [get(index, settings, number) for number in range(5)] == before
    assert before[0]["_version"] == 1


def test_investigators_edit_survives_a_newer_revision(
    settings: Settings, index: Elasticsearch
) -> None:
    case = {"status": "in_progress", "assignee": "kim", "notes": [{"by": "kim", "text": "called"}]}
    with running(settings):
        send(settings, make_alert(1, 1, score=0.6))
        await_caught_up(settings)
        index.update(
            index=f"{settings.elasticsearch.index}-2026.11", id=alert_id(1), doc={"case": case}
        )
        send(settings, make_alert(1, 2, score=0.9))
        await_caught_up(settings)

    document = get(index, settings, 1)["_source"]
    assert document["fraud"]["score"] == 0.9
    assert document["case"].items() >= case.items()
    assert document["case"]["verdict"] is None


def test_replay_of_older_revisions_ends_at_the_newest(
    settings: Settings, index: Elasticsearch, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One record at a time, so that the replay really passes through the older revisions.
    monkeypatch.setattr(sink, "BATCH_RECORDS", 1)
    revisions = [make_alert(1, sequence) for sequence in (1, 2, 3)]
    del revisions[2]["latest"]["transaction"]["latitude"]
    revisions[2]["latest"]["features"] = {"another_feature": 4.0}
    send(settings, *revisions)
    with running(settings):
        await_caught_up(settings)
    before = get(index, settings, 1)

    rewind(settings, records=3)
    with running(settings):
        await_caught_up(settings)

    after = get(index, settings, 1)
    assert after["_version"] > before["_version"]
    assert after["_source"] == before["_source"]
    assert after["_source"]["fraud"]["sequence"] == 3
    assert after["_source"]["source"]["geo"]["location"] is None
    assert after["_source"]["fraud"]["features"] == [{"another_feature": 4.0}]


def test_record_that_cannot_be_indexed_becomes_a_dead_letter(
    settings: Settings, index: Elasticsearch
) -> None:
    unmappable = make_alert(2, 1)
    unmappable["latest"]["transaction"]["latitude"] = 95.0
    send(settings, make_alert(1, 1), unmappable, b"{not json", make_alert(3, 1))

    with running(settings):
        await_caught_up(settings)

    assert sorted(indexed_ids(settings)) == [alert_id(1), alert_id(3)]
    letters = {letter["reason"]: letter for letter in read_dead_letters(settings)}
    assert letters.keys() == {"document_parsing_exception", "not_json"}
    assert letters["not_json"]["original"] == "e25vdCBqc29u"  # {not json, in base64
    assert "source.geo.location" in letters["document_parsing_exception"]["detail"]
    assert letters["document_parsing_exception"]["topic"] == settings.kafka.topics().alerts.name


def test_alias_finds_the_alerts_of_all_months(settings: Settings, index: Elasticsearch) -> None:
    # Nothing was ever written: no index, no alias, no error.
    assert read_index_count(settings) == 0
    assert indexed_ids(settings) == []
    assert list_alerts(settings, Wanted(), limit=5).alerts == []
    send(
        settings,
        make_alert(1, 1, opened_at="2026-11-30T23:59:59Z", band="review"),
        make_alert(2, 1, opened_at="2026-12-01T00:00:00Z"),
        make_alert(3, 1, opened_at="2019-02-03T04:05:06Z"),
        # A revision of December belongs to the month of the opening.
        make_alert(1, 2, opened_at="2026-11-30T23:59:59Z", band="review"),
    )

    with running(settings):
        await_caught_up(settings)

    alias = settings.elasticsearch.index
    assert read_index_count(settings) == 3
    assert set(indexed_ids(settings)) == {alert_id(number) for number in (1, 2, 3)}
    assert set(index.indices.get(index=alias)) == {
        f"{alias}-2026.11",
        f"{alias}-2026.12",
        f"{alias}-2019.02",
    }
    newest = [one.card_id for one in list_alerts(settings, Wanted(), limit=2).alerts]
    assert newest == ["card-2", "card-1"]
    found = list_alerts(settings, Wanted(band="review"), limit=9).alerts
    review = [one.card_id for one in found]
    assert review == ["card-1"]
    assert read_alert(settings, alert_id(3)).case.status == "open"


def test_mapping_answers_what_people_search_for(settings: Settings, index: Elasticsearch) -> None:
    with running(settings):
        send(settings, make_alert(1, 1))
        await_caught_up(settings)
    index.indices.refresh(index=settings.elasticsearch.index)
    near_paris = {"distance": "10km", "source.geo.location": {"lat": 48.85, "lon": 2.35}}

    for query in (
        {"term": {"rule.id": "impossible_travel"}},
        {"term": {"fraud.card_id": "card-1"}},
        {"term": {"source.ip": "203.0.113.0/24"}},
        {"term": {"fraud.features.travel_km": "812.0"}},
        {"range": {"fraud.money_at_risk": {"gte": 1250.75}}},
        {"match": {"fraud.because": "device"}},
        {"geo_distance": near_paris},
        {"term": {"case.status": "open"}},
    ):
        found = index.count(index=settings.elasticsearch.index, query=query)
        assert found["count"] == 1, query


def test_killed_sink_loses_nothing_and_repeats_nothing(
    settings: Settings, index: Elasticsearch
) -> None:
    total = 3000
    send(settings, *(make_alert(number, 1) for number in range(total)))

    first = start_process(settings)
    try:
        await_true(lambda: read_index_count(settings) > 0, "the first alerts")
    finally:
        first.kill()
        first.wait(60)
    indexed_before_the_kill = read_index_count(settings)
    with running(settings):
        await_caught_up(settings)

    assert 0 < indexed_before_the_kill <= total
    assert sorted(indexed_ids(settings)) == [alert_id(number) for number in range(total)]
    assert read_index_count(settings) == total


def start_process(settings: Settings) -> subprocess.Popen[bytes]:
    environ = {**os.environ, **settings.to_env()}
    code = (
        "import threading; from pipelines.settings import Settings; "
        "from sinks.alerts.run import run; run(Settings.from_env(), stop=threading.Event())"
    )
    return subprocess.Popen([sys.executable, "-c", code], env=environ)


def test_index_that_is_away_at_the_start_and_later_is_waited_for(
    settings: Settings, index: Elasticsearch
) -> None:
    gate = Gate(settings.elasticsearch.url)
    through_gate = dataclasses.replace(
        settings,
        elasticsearch=dataclasses.replace(
            settings.elasticsearch, url=f"http://127.0.0.1:{gate.port}"
        ),
    )
    send(settings, make_alert(1, 1))

    sessions: list[bool] = []
    with running(through_gate, on_session=sessions.append) as sink_run:
        await_true(lambda: gate.refused > 1, "the sink asking twice in vain")
        assert sessions == []
        gate.is_open = True
        await_caught_up(settings)
        gate.close_connections()
        send(settings, make_alert(2, 1))
        refused = gate.refused
        await_true(lambda: gate.refused > refused + 1, "the sink asking again in vain")
        assert not sink_run.done()
        gate.is_open = True
        await_caught_up(settings)
        assert sessions[-1] is True
        assert sessions.count(False) == sessions.count(True) - 1 > 0  # lost, and found again
    assert sessions[-1] is False

    gate.close()
    assert set(indexed_ids(settings)) == {alert_id(1), alert_id(2)}


def test_template_and_alias_are_put_in_place_once(settings: Settings, index: Elasticsearch) -> None:
    alias = settings.elasticsearch.index
    assert apply_template(settings) == "created"
    assert apply_template(settings) == "unchanged"
    index.indices.create(index=f"{alias}-2026.11")
    index.indices.delete_alias(index=f"{alias}-2026.11", name=alias)

    apply_template(settings)

    assert index.indices.exists_alias(index=f"{alias}-2026.11", name=alias)
    stored = index.indices.get_settings(index=f"{alias}-2026.11")[f"{alias}-2026.11"]
    assert stored["settings"]["index"]["refresh_interval"] == "1s"


def test_month_without_the_template_stops_the_sink(
    settings: Settings, index: Elasticsearch
) -> None:
    name = f"{settings.elasticsearch.index}-2026.11"
    with pytest.raises(SinkError, match="is missing"):
        Months(index, settings.elasticsearch).prepare([name])

    index.indices.create(index=name)
    index.indices.put_index_template(
        name=settings.elasticsearch.index, index_patterns=[f"{name}-none"]
    )
    with pytest.raises(SinkError, match="without the alias"):
        Months(index, settings.elasticsearch).prepare([name])
