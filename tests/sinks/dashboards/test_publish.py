"""Bringing a Kibana to what the code says: once, whole, and without taking from anybody."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
from kibana_stub import GONE, PASS, KibanaStub

from pipelines.errors import TransientError
from sinks.dashboards.catalog import Artifact, artifacts
from sinks.dashboards.publish import apply, compare

if TYPE_CHECKING:
    from pipelines.settings import Settings
    from sinks.dashboards.kibana import Kibana

SPIKE = "alerting/rule/06b53873-968a-50ec-b722-a3ff0e386e0c"


@pytest.fixture
def wanted(settings: Settings) -> list[Artifact]:
    return artifacts(settings)


def run(kibana: Kibana, wanted: list[Artifact]) -> list[str]:
    return [outcome.change for outcome in apply(kibana, wanted)]


def unsettled(kibana: Kibana, wanted: list[Artifact]) -> dict[str, tuple[str, ...]]:
    found = compare(kibana, wanted)
    return {one.artifact.name: one.differences for one in found if not one.is_settled}


def the_rule(stub: KibanaStub) -> dict[str, Any]:
    (name,) = [name for name in stub.stored if name.startswith(SPIKE[:21])]
    return stub.stored[name]


def test_everything_is_created_views_first_and_then_left_alone(
    stub: KibanaStub, kibana: Kibana, wanted: list[Artifact]
) -> None:
    assert run(kibana, wanted) == ["created"] * 10
    first = stub.writes()
    assert first[:2] == ["POST /api/data_views/data_view"] * 2
    assert first[2:6] == [
        f"PUT /api/dashboards/fraudlake-{name}" for name in ("queue", "card", "rules", "operations")
    ]
    assert [line.rpartition("/")[0] for line in first[6:]] == ["POST /api/alerting/rule"] * 4

    assert unsettled(kibana, wanted) == {}
    assert run(kibana, wanted) == ["unchanged"] * 10
    assert stub.writes() == first


def test_what_was_changed_in_kibana_is_named_and_put_back(
    stub: KibanaStub, kibana: Kibana, wanted: list[Artifact]
) -> None:
    run(kibana, wanted)
    before = copy.deepcopy(stub.stored)
    queue = stub.stored["dashboards/fraudlake-queue"]
    queue["panels"][1]["config"]["metrics"][0]["label"] = "Waiting"
    del queue["panels"][-1]
    stub.stored["data_views/data_view/fraudlake-alerts"]["title"] = "other-*"
    the_rule(stub)["params"]["threshold"] = [9]
    written = len(stub.writes())

    assert unsettled(kibana, wanted) == {
        "data-view-alerts": ("title is 'other-*', not 'fraud-alerts'",),
        "dashboard-queue": ("panels has 10 entries, not 11",),
        "rule-spike": ("params.threshold[0] is 9, not 200",),
    }
    changes = run(kibana, wanted)
    assert changes.count("updated") == 3
    assert changes.count("unchanged") == 7
    assert len(stub.writes()) == written + 3
    assert stub.stored == before


def test_only_what_is_missing_is_published_when_that_is_wanted(
    stub: KibanaStub, kibana: Kibana, wanted: list[Artifact]
) -> None:
    """A new instance of Dagster put back what people had changed in Kibana."""
    run(kibana, wanted)
    stub.stored["dashboards/fraudlake-queue"]["title"] = "Ours"
    del stub.stored["dashboards/fraudlake-card"]

    changes = [one.change for one in apply(kibana, wanted, only_missing=True)]

    assert sorted(set(changes)) == ["created", "unchanged"]
    assert changes.count("created") == 1
    assert stub.stored["dashboards/fraudlake-queue"]["title"] == "Ours"
    assert list(unsettled(kibana, wanted)) == ["dashboard-queue"]


def test_what_kibana_fills_in_is_no_difference_but_an_added_filter_is(
    stub: KibanaStub, kibana: Kibana, wanted: list[Artifact]
) -> None:
    run(kibana, wanted)
    stub.stored["dashboards/fraudlake-card"]["options"] = {"use_margins": True}
    assert unsettled(kibana, wanted) == {}

    stub.stored["dashboards/fraudlake-card"]["filters"] = [{"type": "condition"}]
    assert unsettled(kibana, wanted) == {"dashboard-card": ("filters has 1 entries, not 0",)}


def test_update_of_a_rule_keeps_whom_it_calls_and_that_it_is_off(
    stub: KibanaStub, kibana: Kibana, wanted: list[Artifact]
) -> None:
    run(kibana, wanted)
    call = {"id": "mail", "group": "query matched", "params": {"to": "team"}, "uuid": "u-1"}
    flapping = {"look_back_window": 5, "status_change_threshold": 2}
    rule = the_rule(stub)
    rule |= {"enabled": False, "flapping": flapping}
    rule["actions"] = [{**call, "connector_type_id": ".email"}]
    assert unsettled(kibana, wanted) == {}

    rule["params"]["threshold"] = [9]
    assert run(kibana, wanted).count("updated") == 1

    rule = the_rule(stub)
    assert rule["params"]["threshold"] == [200]
    assert (rule["enabled"], rule["actions"], rule["flapping"]) == (False, [call], flapping)


@pytest.mark.parametrize("code", [GONE, 503])
@pytest.mark.parametrize("at", range(20))
def test_answer_that_gets_lost_anywhere_doubles_nothing(
    stub: KibanaStub, kibana: Kibana, wanted: list[Artifact], at: int, code: int
) -> None:
    """Of a read and a write for each of ten, one is carried out unheard, or is not carried out."""
    stub.faults = [*[(PASS, {})] * at, (code, {})]
    run(kibana, wanted)

    assert not stub.faults
    assert len(stub.stored) == 10
    assert unsettled(kibana, wanted) == {}


def test_rule_that_somebody_else_makes_meanwhile_is_looked_at_again(
    stub: KibanaStub, kibana: Kibana, wanted: list[Artifact]
) -> None:
    spike = next(one for one in wanted if one.name == "rule-spike")
    read = kibana.read

    def read_and_be_overtaken(path: str) -> Any:
        kibana.read = read  # type: ignore[method-assign]
        found = read(path)
        kibana.write("POST", path, {**spike.body, "name": "theirs"})
        return found

    kibana.read = read_and_be_overtaken  # type: ignore[method-assign]
    assert run(kibana, [spike]) == ["updated"]
    assert the_rule(stub)["name"] == spike.title


def test_object_that_is_always_changed_is_given_up(
    stub: KibanaStub, kibana: Kibana, wanted: list[Artifact]
) -> None:
    stub.faults = [(404, {}), (409, {})] * 3
    with pytest.raises(
        TransientError,
        match=r"Fraud: more than 200 .* was not settled in 3 tries; .* was changed meanwhile",
    ):
        run(kibana, [one for one in wanted if one.name == "rule-spike"])
