"""Rules, upkeep and reconciliation as assets, with small stand-ins for what they ask."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import pytest
from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
from dagster._core.loader import LoadingContextForTest
from test_assets import FakeBroker
from test_reconciling import hour, seen

from orchestration.defs.ingest import customers, transactions
from orchestration.defs.quality import one_alert_per_id, quality
from orchestration.defs.reconciliation import HOURS, hourly, hours
from orchestration.defs.rules import Publishing, active
from orchestration.defs.stream import fraud_detection
from orchestration.defs.upkeep import compaction
from orchestration.keys import INDEX, JOB
from orchestration.only_look import Looking
from pipelines.errors import RulesetError
from pipelines.features import load_features
from pipelines.published_rules import Publication, Published
from pipelines.rules import load_ruleset
from sinks.lakehouse.upkeep.figures import TableFigures
from sinks.lakehouse.upkeep.round import UpkeepReport
from sinks.lakehouse.watch.behaviour import Behaviour, Counts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sinks.reconciliation.hour import HourEvidence

SPEED = load_ruleset("speed", load_features())
TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as one:
        yield one


class FakeDesk:
    def __init__(self, fault: str | None = None) -> None:
        self.fault = fault
        self.ruleset = SPEED
        self.asked: list[str | None] = []

    def publish(self, ruleset: str | None) -> Publication:
        self.asked.append(ruleset)
        if self.fault is not None:
            raise RulesetError(self.fault)
        published = Published(
            version=self.ruleset.version,
            source="speed",
            file="speed-1.toml",
            at="2026-03-01T12:00:00",
        )
        return Publication(
            published=published,
            before="speed@0",
            ruleset=self.ruleset,
            difference="| rule | what |",
            path=Path("/home/rules/speed-1.toml"),
        )


class DeployedNever:
    """A stream that must not be touched."""

    def deploy(self, *, log: Callable[[str], object]) -> dict[str, Any]:
        raise AssertionError("the job was touched")


def publish(
    instance: dg.DagsterInstance, desk: FakeDesk, **config: str
) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [active],
        instance=instance,
        resources={"rule_desk": desk},
        run_config=dg.RunConfig(ops={"rules__active": Publishing(**config)}),
        raise_on_error=False,
    )


def test_published_rules_have_their_hash_as_version_and_show_what_changes(
    instance: dg.DagsterInstance,
) -> None:
    desk = FakeDesk()
    [event] = publish(instance, desk, ruleset="speed").get_asset_materialization_events()
    shown = {name: value.value for name, value in event.materialization.metadata.items()}

    assert desk.asked == ["speed"]
    assert (event.materialization.tags or {})["dagster/data_version"] == SPEED.version
    assert shown["changes"] == "| rule | what |"
    assert shown["published before"] == "speed@0"
    assert "| impossible_travel | active | 0.9 |" in shown["rules"]
    assert publish(instance, desk).success
    assert desk.asked == ["speed", None]


def test_faulty_file_lists_its_faults_and_leaves_the_job_alone(
    instance: dg.DagsterInstance,
) -> None:
    faults = "mine.toml line 3: unknown column\nmine.toml line 9: weight must be above 0"
    result = dg.materialize(
        [active, fraud_detection],
        instance=instance,
        resources={"rule_desk": FakeDesk(faults), "stream": DeployedNever()},
        raise_on_error=False,
    )

    assert not result.success
    [failure] = result.get_step_failure_events()
    assert failure.step_key == "rules__active"
    for fault in faults.splitlines():
        assert fault in str(failure.event_specific_data)
    assert result.get_asset_materialization_events() == []


class PlainStream:
    """Has nothing to do."""

    def page_of(self, job_id: str) -> str:
        return "http://flink"

    def deploy(self, *, log: Callable[[str], object]) -> dict[str, Any]:
        known = {"job_id": "a", "ruleset": "r@1", "build": "b", "savepoint": None, "switch": None}
        return {"outcome": "unchanged", **known}

    def stages(self) -> tuple[()]:
        return ()


def test_newer_rules_mark_the_job_as_behind_until_it_is_deployed(
    instance: dg.DagsterInstance,
) -> None:
    assets = [transactions, customers, active, fraud_detection]
    desk = FakeDesk()
    resources = {"rule_desk": desk, "stream": PlainStream(), "broker": FakeBroker()}
    graph = dg.Definitions(assets=assets, resources=resources).resolve_asset_graph()

    def materialize(*chosen: dg.AssetsDefinition) -> None:
        selection = dg.AssetSelection.assets(*chosen)
        assert dg.materialize(
            assets, selection=selection, instance=instance, resources=resources
        ).success

    def is_behind() -> bool:
        context = LoadingContextForTest(instance)
        resolver = CachingStaleStatusResolver(instance, graph, context)
        return resolver.get_status(JOB) is StaleStatus.STALE

    materialize(*assets)
    assert not is_behind()
    materialize(transactions, active)  # the same once more
    assert not is_behind()
    desk.ruleset = load_ruleset("classic", load_features())
    materialize(active)
    assert is_behind()
    materialize(fraud_detection)
    assert not is_behind()
    [spec] = fraud_detection.specs
    assert spec.code_version


def figures(files: int, size: int) -> TableFigures:
    return TableFigures(
        table="decisions",
        rows=100,
        partitions=1,
        files=files,
        small_files=files - 1,
        unsorted_files=0,
        delete_files=0,
        bytes=size,
        snapshots=9,
        manifests=2,
        metadata_bytes=1000,
        committed_at=None,
    )


class FakeTables:
    def __init__(self) -> None:
        self.tasks: list[str] = []

    def keep_up(self, task: str, *, only_look: bool, log: Callable[[str], None]) -> UpkeepReport:
        self.tasks.append(f"look at {task}" if only_look else task)
        log("decisions: 12 files would be written anew" if only_look else "decisions: 12 files")
        report = UpkeepReport(tasks=("compact",), dry_run=only_look, partitions_rewritten=1)
        report.before, report.after = [figures(12, 5_000)], [figures(1, 4_200)]
        return report

    def read_behaviour(self, now: datetime) -> Behaviour:
        calm = Counts(decisions=5_000, bands={"allow": 4_950, "review": 50}, scores={"0": 5_000})
        return Behaviour(ruleset="r@1", recent=calm, reference=calm)


def test_upkeep_shows_what_was_and_what_is(instance: dg.DagsterInstance) -> None:
    tables = FakeTables()
    result = dg.materialize(
        [compaction], selection=[compaction], instance=instance, resources={"tables": tables}
    )
    [event] = result.get_asset_materialization_events()
    shown = {name: value.value for name, value in event.materialization.metadata.items()}

    assert tables.tasks == ["compact"]
    assert "| decisions | files | 12 → **1** |" in shown["before and after"]
    assert "| decisions | snapshots | 9 |" in shown["before and after"]
    assert (shown["bytes saved"], shown["partitions rewritten"]) == (800, 1)


def test_look_at_upkeep_changes_nothing_and_says_what_is_to_be_done_and_when(
    instance: dg.DagsterInstance,
) -> None:
    tables = FakeTables()
    result = dg.materialize(
        [compaction],
        selection=[compaction],
        instance=instance,
        resources={"tables": tables},
        run_config=dg.RunConfig(ops={"iceberg__compaction": Looking(only_look=True)}),
    )
    [event] = result.get_asset_materialization_events()
    shown = {name: value.value for name, value in event.materialization.metadata.items()}

    assert tables.tasks == ["look at compact"]
    assert shown == {
        "done": "nothing, this was a look. It is done at 20 past each hour (UTC), or when it is "
        "materialized",
        "what is to be done": "- decisions: 12 files would be written anew",
    }


def test_upkeeps_wait_for_each_other() -> None:
    assert compaction.op.pool == "lakehouse_upkeep"


class FakeAudit:
    def __init__(self, stored: HourEvidence) -> None:
        self.stored = stored
        self.asked: list[datetime] = []

    def gather_hour(self, begin: datetime, *, log: Callable[[str], object]) -> HourEvidence:
        self.asked.append(begin)
        return self.stored


def test_hour_is_compared_as_a_partition_and_a_missing_row_turns_its_check_red(
    instance: dg.DagsterInstance,
) -> None:
    audit = FakeAudit(hour(lake_decisions=seen(100)))
    instance.add_dynamic_partitions(str(HOURS.name), [f"{TODAY:%Y-%m-%d}-00:00"])
    result = dg.materialize(
        [hours],
        instance=instance,
        resources={"audit": audit},
        partition_key=f"{TODAY:%Y-%m-%d}-00:00",
    )

    assert audit.asked == [TODAY]
    found = {one.check_name: one.passed for one in result.get_asset_check_evaluations()}
    assert found == {"stored_once": False, "alerted_once": True}
    [event] = result.get_asset_materialization_events()
    assert event.partition == f"{TODAY:%Y-%m-%d}-00:00"


def test_what_is_no_hour_is_refused_in_a_sentence(instance: dg.DagsterInstance) -> None:
    instance.add_dynamic_partitions(str(HOURS.name), ["2026-03-01-14:30"])
    result = dg.materialize(
        [hours],
        instance=instance,
        resources={"audit": FakeAudit(hour())},
        partition_key="2026-03-01-14:30",
        raise_on_error=False,
    )
    [failure] = result.get_step_failure_events()
    assert "such as 2026-03-01-14:00" in str(failure.event_specific_data)


def test_hour_is_compared_a_quarter_after_it_has_closed_and_none_stands_there_before() -> None:
    """By the clock the hour that had just closed was missing for a quarter of an hour."""
    location = dg.Definitions(
        assets=[hours], schedules=[hourly], resources={"audit": FakeAudit(hour())}
    )
    with dg.instance_for_test() as instance:
        context = dg.build_schedule_context(
            instance=instance,
            scheduled_execution_time=TODAY.replace(hour=12, minute=15),
            repository_def=location.get_repository_def(),
        )
        found = location.resolve_schedule_def("reconciliation_hourly").evaluate_tick(context)
        offered = instance.get_dynamic_partitions(str(HOURS.name))
    [request] = found.run_requests or ()

    assert request.partition_key == request.run_key == f"{TODAY:%Y-%m-%d}-11:00"
    assert offered == [request.partition_key]
    assert hourly.cron_schedule == "15 * * * *"


class FakeIndex:
    def count_ids(self) -> Counter[str]:
        return Counter({"a": 2})


def test_checks_of_what_is_stored_say_what_was_counted(instance: dg.DagsterInstance) -> None:
    result = dg.materialize(
        [dg.AssetSpec(INDEX), quality, one_alert_per_id],  # type: ignore[list-item]
        selection=dg.AssetSelection.assets(quality) | dg.AssetSelection.checks(one_alert_per_id),
        instance=instance,
        resources={"tables": FakeTables(), "alert_index": FakeIndex()},
    )
    found = {one.check_name: one.passed for one in result.get_asset_check_evaluations()}
    assert found == {
        "score_drift": True,
        "rule_drift": True,
        "flag_rate": True,
        "one_alert_per_id": False,
    }
    [event] = result.get_asset_materialization_events()
    assert event.materialization.metadata["decisions of the last day"].value == 5_000
    assert "| review | 50 | 50 |" in str(event.materialization.metadata["bands"].value)
