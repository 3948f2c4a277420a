"""The life of the alert indices on a real Elasticsearch: in place, anew, and deleted."""

from __future__ import annotations

import contextlib
import threading
from concurrent.futures import ThreadPoolExecutor
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from alert_index import MONTH, documents, fill, get, names
from alert_runs import (
    alert_id,
    await_caught_up,
    make_alert,
    rewind,
    running,
    send,
)
from elasticsearch import ApiError

from pipelines.errors import SinkError, TransientError
from sinks.alerts import cases, copying, rebuild
from sinks.alerts.apply import Applied, apply_index
from sinks.alerts.client import connect
from sinks.alerts.differences import read_differences
from sinks.alerts.indices import (
    allow_writes,
    block_writes,
    name_discard,
    name_token,
)
from sinks.alerts.search import read_alert, read_index_count, read_origins

if TYPE_CHECKING:
    from collections.abc import Callable

    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings
    from sinks.alerts.rebuild import Step

pytestmark = pytest.mark.live


def count(index: Elasticsearch, settings: Settings, query: dict[str, Any]) -> int:
    index.indices.refresh(index=settings.elasticsearch.index)
    return int(index.count(index=settings.elasticsearch.index, query=query)["count"])


def test_indices_made_by_this_release_are_in_step_with_it(
    settings: Settings, index: Elasticsearch
) -> None:
    assert [one.text for one in read_differences(settings)] == ["template is missing"]

    fill(settings, 1)

    assert read_differences(settings) == []
    assert apply_index(settings, reindex=True) == Applied()
    assert names(index, settings) == [MONTH]


def test_new_field_and_new_setting_are_put_in_place_under_documents(
    settings: Settings,
    index: Elasticsearch,
    change_template: Callable[..., None],
) -> None:
    fill(settings, 3)
    index.indices.delete_alias(
        index=f"{settings.elasticsearch.index}-{MONTH}", name=settings.elasticsearch.index
    )
    before = get(index, settings, 1)
    change_template(
        {"case.team": {"type": "keyword"}, "user.id": {"type": "keyword", "ignore_above": 99}},
        refresh_interval="2s",
    )
    found = read_differences(settings)
    assert {(one.about, one.what, one.remedy) for one in found} == {
        ("template", settings.elasticsearch.index, "in place"),
        ("alias", settings.elasticsearch.index, "in place"),
        ("mapping", "case.team", "in place"),
        ("mapping", "user.id", "in place"),
        ("settings", "index.refresh_interval", "in place"),
    }

    applied = apply_index(settings, reindex=False)

    assert applied == Applied(done=found)
    assert read_differences(settings) == []
    assert names(index, settings) == [MONTH]
    assert get(index, settings, 1) == before
    # It is searched by from now on.
    index.update(
        index=f"{settings.elasticsearch.index}-{MONTH}",
        id=alert_id(2),
        doc={"case": {"team": "night"}},
    )
    assert count(index, settings, {"term": {"case.team": "night"}}) == 1


def test_documents_from_before_a_field_are_found_by_it_when_their_month_is_built_anew(
    settings: Settings, index: Elasticsearch, change_template: Callable[..., None]
) -> None:
    fill(settings, 2)
    name = f"{settings.elasticsearch.index}-{MONTH}"
    index.update(index=name, id=alert_id(1), doc={"case": {"team": "night"}})
    change_template({"case.team": {"type": "keyword"}})
    apply_index(settings, reindex=True)
    assert count(index, settings, {"term": {"case.team": "night"}}) == 0

    applied = apply_index(settings, reindex=True, months=[MONTH])

    assert [one.plain_name for one in applied.rebuilt] == [name]
    assert applied.left == []
    assert count(index, settings, {"term": {"case.team": "night"}}) == 1
    with pytest.raises(SinkError, match=r"no month 2026\.12 behind .*; there are: 2026\.11"):
        apply_index(settings, reindex=True, months=["2026.12"])


def test_what_needs_a_new_index_is_named_and_left_without_leave(
    settings: Settings, index: Elasticsearch, change_template: Callable[..., None]
) -> None:
    fill(settings, 2)
    change_template(
        {"fraud.hits": {"type": "double"}, "case.team": {"type": "keyword"}},
        **{"sort.field": "event.end"},
    )

    applied = apply_index(settings, reindex=False)

    assert {one.what for one in applied.done} == {settings.elasticsearch.index, "case.team"}
    assert [one.text for one in applied.left] == [
        "fraud.hits is long, shall be double",
        "index.sort.field is @timestamp, shall be event.end",
    ]
    assert names(index, settings) == [MONTH]
    assert read_differences(settings) == applied.left


def test_rebuilt_month_has_the_same_documents_and_the_new_mapping(
    settings: Settings, index: Elasticsearch, change_template: Callable[..., None]
) -> None:
    fill(settings, 25)
    name = f"{settings.elasticsearch.index}-{MONTH}"
    stranger = {
        "case": {"status": "in_progress", "notes": [{"by": "kim", "text": "called ☎"}]},
        "somebody_elses": {"deep": [{"n": 123456789012345678901234567890}, None, 0.1]},
    }
    with connect(settings.elasticsearch, exact=True) as exact:
        exact.update(index=name, id=alert_id(7), doc=stranger)
        before = documents(exact, settings)
        change_template({"fraud.hits": {"type": "keyword"}})

        for number, expected in ((2, "r2.2026.11"), (3, "r3.2026.11")):
            applied = apply_index(settings, reindex=True)

            assert [one.documents for one in applied.rebuilt] == [25]
            assert applied.left == []
            assert names(index, settings) == [expected]
            assert documents(exact, settings) == before
            assert read_differences(settings) == []
            change_template({"fraud.hits": {"type": "long", "store": number == 2}})

    assert before[alert_id(7)]["somebody_elses"]["deep"][0] == stranger["somebody_elses"]["deep"][0]
    assert count(index, settings, {"term": {"case.status": "in_progress"}}) == 1
    # The sink finds each document again: nothing is written twice, edits stay.
    rewind(settings, records=25)
    send(settings, make_alert(7, 2), make_alert(99, 1))
    with running(settings):
        await_caught_up(settings)
    after = documents(index, settings)
    assert len(after) == 26
    assert after[alert_id(7)]["fraud"]["sequence"] == 2
    assert after[alert_id(7)]["case"]["notes"] == stranger["case"]["notes"]
    assert len(list(read_origins(settings))) == read_index_count(settings) == 26


def test_nothing_is_lost_when_sink_and_people_write_during_the_rebuild(
    settings: Settings,
    index: Elasticsearch,
    change_template: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(copying, "PAGE", 100)
    monkeypatch.setattr(rebuild, "LITTLE", 20)
    fill(settings, 500)
    change_template({"fraud.hits": {"type": "keyword"}})
    seen: list[int] = []
    stop = threading.Event()

    def watch() -> None:
        """Count through the alias, all the time; in the moment of the exchange it may fail."""
        with connect(settings.elasticsearch) as client:
            while not stop.is_set():
                with contextlib.suppress(ApiError):
                    found = client.search(
                        index=settings.elasticsearch.index,
                        size=0,
                        track_total_hits=True,
                        allow_partial_search_results=False,
                    )
                    seen.append(int(found["hits"]["total"]["value"]))

    edits = iter(range(10_000))
    assert len(documents(index, settings)) == 500

    def on_step(_: object, step: Step) -> None:
        """In each step: a revision of an old alert, a new alert, and somebody's note."""
        number = next(edits)
        old = number % 500
        send(settings, make_alert(old, 2 + number), make_alert(1000 + number, 1))
        if step.what != "catching up" or step.total > rebuild.LITTLE:
            cases.add_note(settings, alert_id(old), text=f"during {step.what}", by="kim")

    with running(settings), ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        applied = apply_index(settings, reindex=True, on_step=on_step)
        stop.set()
        watching.result(60)
        await_caught_up(settings)

    steps = next(edits)
    after = documents(index, settings)
    assert steps > 10
    assert [one.name for one in applied.rebuilt] == [f"{settings.elasticsearch.index}-r2.{MONTH}"]
    assert names(index, settings) == [f"r2.{MONTH}"]
    assert after.keys() == {alert_id(n) for n in [*range(500), *range(1000, 1000 + steps)]}
    for number in range(steps):
        assert after[alert_id(number % 500)]["fraud"]["sequence"] == 2 + number
    noted = [one for one in after.values() if one["case"]["notes"]]
    assert len(noted) > 10
    assert min(seen) >= 500
    assert max(seen) <= 500 + steps


def test_edit_is_refused_with_a_sentence_while_the_month_is_closed(
    settings: Settings, index: Elasticsearch
) -> None:
    fill(settings, 1)
    block_writes(index, f"{settings.elasticsearch.index}-{MONTH}")

    with pytest.raises(TransientError, match="closed to writing"):
        cases.add_note(settings, alert_id(0), text="hello", by="kim")

    assert [one.about for one in read_differences(settings)] == ["block"]
    apply_index(settings, reindex=False)
    cases.add_note(settings, alert_id(0), text="hello", by="kim")
    assert [note.text for note in read_alert(settings, alert_id(0)).case.notes] == ["hello"]


def test_edit_of_a_month_exchanged_since_it_was_read_is_made_on_the_new_one(
    settings: Settings, index: Elasticsearch, change_template: Callable[..., None]
) -> None:
    fill(settings, 3)
    change_template({"fraud.hits": {"type": "keyword"}})
    apply_index(settings, reindex=True)
    change_template({"fraud.hits": {"type": "double"}})
    rounds: list[int] = []

    def change(_: object) -> dict[str, object]:
        if not rounds:
            apply_index(settings, reindex=True)
        rounds.append(1)
        return {"reason": "late"}

    cases.edit_case(settings, alert_id(1), change)

    assert names(index, settings) == [f"r3.{MONTH}"]
    assert documents(index, settings)[alert_id(1)]["case"]["reason"] == "late"


def test_document_that_the_new_mapping_refuses_leaves_everything_as_it_was(
    settings: Settings, index: Elasticsearch, change_template: Callable[..., None]
) -> None:
    fill(settings, 3)
    before = documents(index, settings)
    change_template({"fraud.card_id": {"type": "long"}})

    with pytest.raises(SinkError, match=r"the new mapping refuses document .*card"):
        apply_index(settings, reindex=True)

    assert names(index, settings) == [MONTH]
    assert documents(index, settings) == before
    send(settings, make_alert(1, 2))
    with running(settings):
        await_caught_up(settings)
    assert documents(index, settings)[alert_id(1)]["fraud"]["sequence"] == 2


@pytest.mark.parametrize("is_deleted", [True, False])
def test_copy_that_another_run_takes_away_is_never_exchanged(
    settings: Settings,
    index: Elasticsearch,
    change_template: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    is_deleted: bool,
) -> None:
    fill(settings, 3)
    before = documents(index, settings)
    change_template({"fraud.hits": {"type": "keyword"}})
    swap = rebuild._swap

    def swap_late(client: Elasticsearch, alias: str, *rest: Any) -> None:
        # Another machine clears away what it takes for a leftover, and people go on.
        if is_deleted:
            rebuild.discard_copies(client, alias)
        else:
            # It was killed when it had the token.
            copy = f"{alias}-r2.{MONTH}"
            index.indices.put_alias(index=copy, name=name_discard(copy))
            index.indices.delete_alias(index=copy, name=name_token(copy))
            allow_writes(index, f"{alias}-{MONTH}")
        index.update(index=f"{alias}-{MONTH}", id=alert_id(1), doc={"case": {"reason": "new"}})
        swap(client, alias, *rest)

    monkeypatch.setattr(rebuild, "_swap", swap_late)

    with pytest.raises(SinkError, match="another `fraudlake alerts apply` is at work"):
        apply_index(settings, reindex=True)

    assert names(index, settings) == [MONTH]
    before[alert_id(1)]["case"]["reason"] = "new"
    assert documents(index, settings) == before


def test_rebuilt_month_whose_aliases_somebody_took_is_left_to_people(
    settings: Settings, index: Elasticsearch, change_template: Callable[..., None]
) -> None:
    fill(settings, 3)
    change_template({"fraud.hits": {"type": "keyword"}})
    apply_index(settings, reindex=True)
    stray = f"{settings.elasticsearch.index}-r2.{MONTH}"
    index.indices.delete_alias(index=stray, name="_all")

    applied = apply_index(settings, reindex=True)

    assert [(one.index, one.remedy) for one in applied.left] == [(stray, "by hand")]
    assert index.count(index=stray)["count"] == 3


def test_copy_that_is_gone_is_not_made_up_by_writing_to_it(
    settings: Settings, index: Elasticsearch
) -> None:
    fill(settings, 3)
    name = f"{settings.elasticsearch.index}-{MONTH}"
    hits = next(copying.scan(index, name))

    with pytest.raises(SinkError, match="was taken away"):
        copying.write_copies(index, f"{name}-in-work", hits, rng=Random(1))

    assert names(index, settings) == [MONTH]
