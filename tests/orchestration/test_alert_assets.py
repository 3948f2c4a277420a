"""Dashboards and old months as assets, with small stand-ins for Kibana and the index."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from dagster._core.execution.plan.objects import StepFailureData

from orchestration.defs.alerts import fraud_alerts
from orchestration.defs.dashboards import dashboards_in_step, fraud_dashboards
from orchestration.defs.quality import index_in_step
from orchestration.defs.retention import retention
from orchestration.only_look import Looking
from orchestration.quality import judge_dashboards, judge_index
from orchestration.resources import AlertIndex, Dashboards
from pipelines.errors import SinkError
from sinks.alerts.differences import Difference
from sinks.alerts.retention import Expiry, Fate, Judged, MonthFigures
from sinks.dashboards.catalog import Artifact
from sinks.dashboards.publish import Comparison, Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

QUEUE = Artifact(kind="dashboard", name="queue", id="fraud-queue", title="Queue", body={})
SPIKE = Artifact(kind="rule", name="spike", id="1", title="Spike", body={})
NEW_FIELD = Difference(
    index="fraud-alerts-2026.11",
    about="mapping",
    what="case.team",
    text="case.team (keyword) is new",
    remedy="in place",
)


class FakeDashboards:
    def __init__(self, url: str = "http://kibana:5601", *, fault: str | None = None) -> None:
        self._url = url
        self._fault = fault
        self.applied = 0

    def url(self) -> str:
        return self._url

    def apply(self, *, only_missing: bool) -> Sequence[Outcome]:
        assert not only_missing
        if self._fault is not None:
            raise SinkError(self._fault)
        self.applied += 1
        return [
            Outcome(artifact=QUEUE, change="created"),
            Outcome(artifact=SPIKE, change="unchanged"),
        ]

    def compare(self) -> Sequence[Comparison] | None:
        return [Comparison(artifact=QUEUE, is_missing=True)]


class FakeIndex:
    def __init__(self) -> None:
        self.asked: list[date] = []

    def find_differences(self) -> Sequence[Difference]:
        return [NEW_FIELD]

    def judge_months(self, today: date) -> Sequence[Judged]:
        return [
            judged(2024, Fate.CLOSED),
            judged(2025, Fate.EXPIRED),
            judged(2026, Fate.NEWEST),
        ]

    def expire(self, today: date, *, log: Callable[[str], None]) -> Expiry:
        self.asked.append(today)
        log("fraud-alerts-2025.01 is deleted")
        old, new = judged(2025, Fate.EXPIRED), judged(2026, Fate.NEWEST)
        return Expiry(before=(old, new), after=(new,), deleted=("fraud-alerts-2025.01",))


def judged(year: int, fate: Fate) -> Judged:
    name = f"fraud-alerts-{year}.01"
    figures = MonthFigures(
        name=name,
        plain_name=name,
        month=date(year, 1, 1),
        documents=1_200,
        not_closed=0,
        labels_pending=0,
        unfinished=0,
        is_closed=fate is Fate.CLOSED,
    )
    return Judged(figures=figures, fate=fate)


def materialize(
    asset: dg.AssetsDefinition, *, config: dg.RunConfig | None = None, **resources: object
) -> dg.ExecuteInProcessResult:
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [asset],
            instance=instance,
            resources=resources,
            run_config=config,
            raise_on_error=False,
        )


def shown(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    [event] = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_dashboards_are_published_and_each_is_named_with_what_became_of_it() -> None:
    kibana = FakeDashboards()
    page = shown(materialize(fraud_dashboards, dashboards=kibana))
    assert kibana.applied == 1
    assert page["kibana"] == "http://kibana:5601"
    assert page["changed"] == 1
    assert "| dashboard | Queue | created |" in page["published"]
    assert "| rule | Spike | unchanged |" in page["published"]


def test_without_a_kibana_nothing_is_published_and_the_page_says_so() -> None:
    kibana = FakeDashboards(url="")
    page = shown(materialize(fraud_dashboards, dashboards=kibana))
    assert kibana.applied == 0
    assert page["published"].startswith("nowhere: no Kibana is named")


def test_what_kibana_refuses_fails_the_run_and_is_not_tried_again() -> None:
    result = materialize(fraud_dashboards, dashboards=FakeDashboards(fault="Kibana forbids this"))
    assert not result.success
    [failure] = result.get_step_failure_events()
    assert "Kibana forbids this" in str(failure.event_specific_data)


class UnnamedIndex:
    """Its name is the last that is read."""

    def apply_template(self) -> str:
        return "unchanged"

    def count(self) -> int:
        return 0

    def name(self) -> str:
        return AlertIndex().name()


def test_wrong_setting_is_said_in_a_sentence_and_not_tried_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was a traceback, after three more tries."""
    monkeypatch.setenv("FRAUDLAKE_KAFKA_PARTITIONS", "many")
    for result in (
        materialize(fraud_dashboards, dashboards=Dashboards()),
        materialize(fraud_alerts, alert_index=UnnamedIndex()),
    ):
        assert not any(event.is_step_up_for_retry for event in result.all_events)
        [failure] = result.get_step_failure_events()
        data = failure.event_specific_data
        assert isinstance(data, StepFailureData)
        assert data.user_failure_data is not None
        assert "FRAUDLAKE_KAFKA_PARTITIONS" in str(data.user_failure_data.description)


def test_old_months_are_deleted_and_each_month_is_named_with_its_fate() -> None:
    index = FakeIndex()
    before = datetime.now(UTC).date()
    page = shown(materialize(retention, alert_index=index))
    assert before <= index.asked[0] <= datetime.now(UTC).date()
    assert "| 2025-01 | 1,200 | 0 | deleted |" in page["months"]
    assert "| 2026-01 | 1,200 | 0 | newest |" in page["months"]
    assert (page["months deleted"], page["months kept"]) == (1, 1)


def test_look_at_old_months_deletes_none_and_names_those_that_have_expired() -> None:
    index = FakeIndex()
    config = dg.RunConfig(ops={"elasticsearch__retention": Looking(only_look=True)})
    page = shown(materialize(retention, config=config, alert_index=index))
    assert index.asked == []
    assert page["done"].startswith("nothing, this was a look")
    assert "| 2025-01 | 1,200 | 0 | expired |" in page["months"]
    assert "| 2024-01 | ? | ? | closed |" in page["months"]
    assert "months deleted" not in page


@pytest.mark.parametrize(
    ("found", "outcome", "words"),
    [
        ([], "passed", "those of this release"),
        ([NEW_FIELD], "WARN", "1 differences from this release: `fraudlake alerts apply`"),
    ],
)
def test_index_is_judged(found: Sequence[Difference], outcome: str, words: str) -> None:
    verdict = judge_index(found)
    assert verdict.outcome == outcome
    assert words in verdict.sentence
    listed = "- fraud-alerts-2026.11: case.team (keyword) is new" if found else None
    assert verdict.markdown.get("differences") == listed


@pytest.mark.parametrize(
    ("found", "outcome", "words"),
    [
        (None, "passed", "no Kibana is named"),
        ([Comparison(artifact=QUEUE, is_missing=False)], "passed", "all 1 are"),
        (
            [
                Comparison(artifact=QUEUE, is_missing=True),
                Comparison(artifact=SPIKE, is_missing=False, differences=("title is 1, not 2",)),
            ],
            "WARN",
            "2 of 2 differ: Queue, Spike",
        ),
    ],
)
def test_dashboards_are_judged(
    found: Sequence[Comparison] | None, outcome: str, words: str
) -> None:
    verdict = judge_dashboards(found)
    assert verdict.outcome == outcome
    assert words in verdict.sentence


def test_checks_ask_the_index_and_kibana() -> None:
    index, kibana = index_in_step(FakeIndex()), dashboards_in_step(FakeDashboards())
    assert isinstance(index, dg.AssetCheckResult)
    assert isinstance(kibana, dg.AssetCheckResult)
    assert not index.passed
    assert not kibana.passed
    assert kibana.description == "1 of 1 differ: Queue. `fraudlake dashboards diff` says how"
