"""The order of a deployment: what is refused before the old job stops, and what is done then."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from deploying_cluster import NEW, OLD, STOPPED_AT, SWITCH, Cluster, make_kernel

from fraudlake.job import deploy
from fraudlake.job.deploy import deploy_job
from orchestration.code_version import job_code_version
from pipelines.errors import JobError, RulesetError
from pipelines.job_memory import remember, remembered
from sinks.lakehouse.query.opening import open_lake

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.settings import Settings


def recorded(settings: Settings) -> list[str]:
    """The rule sets that the lakehouse knows after a deployment."""
    with open_lake(settings) as lake:
        return [row[0].split("@")[0] for row in lake.ask("from rulesets", limit=9).rows]


def run(settings: Settings, ruleset: str | None = "speed") -> deploy.Deployed:
    return deploy_job(settings, ruleset=ruleset, say=lambda text: None)


@pytest.mark.parametrize("ruleset", [None, "classic"])
def test_nothing_is_done_where_nothing_has_changed(
    settings: Settings, cluster: Cluster, ruleset: str | None
) -> None:
    deployed = run(settings, ruleset)
    assert (deployed.outcome, deployed.job_id, deployed.switch) == ("unchanged", OLD, None)
    assert deployed.ruleset == "classic@old"
    assert cluster.steps == []
    known = remembered(settings)
    assert known is not None
    assert known.code == job_code_version()  # whichever release it was of
    # By an older release, which recorded nothing.
    assert recorded(settings) == ["classic"]


@pytest.mark.parametrize(
    "changed",
    [{"parallelism": 3}, {"state_backend": "hashmap"}, {"checkpoint_interval_ms": 500}],
    ids=str,
)
def test_a_changed_setting_is_a_change(
    settings: Settings, cluster: Cluster, changed: dict[str, object]
) -> None:
    flink = dataclasses.replace(settings.flink, **changed)  # type: ignore[arg-type]
    assert run(dataclasses.replace(settings, flink=flink), None).outcome == "replaced"


def test_job_of_the_same_build_that_somebody_else_submitted_is_replaced(
    settings: Settings, cluster: Cluster
) -> None:
    cluster.running = "d" * 32
    assert run(settings, None).outcome == "replaced"


def test_missing_job_is_started(settings: Settings, cluster: Cluster) -> None:
    cluster.running = None
    deployed = run(settings)
    assert (deployed.outcome, deployed.job_id, deployed.switch) == ("started", NEW, None)
    assert cluster.steps == ["start"]


def test_new_job_takes_the_old_ones_place_on_its_state_and_the_change_is_counted(
    settings: Settings, cluster: Cluster
) -> None:
    deployed = run(settings)
    assert cluster.steps == ["compile", "ask the broker", "stop", "start", "clear up"]
    assert (deployed.outcome, deployed.job_id) == ("replaced", NEW)
    assert deployed.savepoint == STOPPED_AT
    assert deployed.switch == SWITCH
    # Until its first checkpoint the old one would have come back, had we been killed.
    assert cluster.replaced == ["classic@old"]
    known = remembered(settings)
    assert known is not None
    assert (known.job_id, known.replaces) == (NEW, None)


def test_job_is_replaced_although_the_lake_is_away_which_is_waited_for_while_the_old_one_runs(
    settings: Settings, cluster: Cluster
) -> None:
    """A rule that an attack calls for must not wait for the history."""
    lakehouse = dataclasses.replace(
        settings.lakehouse, catalog_uri="postgresql://a@127.0.0.1:1/lake", warehouse="/nowhere"
    )
    away = dataclasses.replace(settings, lakehouse=lakehouse)
    said: list[str] = []

    def say(sentence: str) -> None:
        state = "runs" if cluster.running == OLD else "changed"
        said.append(f"{sentence.partition(':')[0]} ({state})")

    deployed = deploy_job(away, ruleset="speed", say=say)

    assert deployed.outcome == "replaced"
    assert "the tables were not brought up (runs)" in said
    assert said[-1].startswith("the rule set is not in the table rulesets yet")
    assert cluster.tables_ready == [True]


@pytest.mark.parametrize("step", ["compile", "ask the broker"])
def test_what_cannot_run_is_refused_while_the_old_job_runs_on(
    settings: Settings, cluster: Cluster, step: str
) -> None:
    cluster.fails[step] = JobError("it cannot run")
    with pytest.raises(JobError, match="it cannot run"):
        run(settings)
    assert "stop" not in cluster.steps
    assert cluster.running == OLD


def test_faulty_rule_set_is_refused_before_the_cluster_is_asked(
    settings: Settings, cluster: Cluster
) -> None:
    with pytest.raises(RulesetError):
        run(settings, "no_such_rules.toml")
    assert cluster.steps == []


def test_old_job_that_cannot_be_stopped_runs_on(settings: Settings, cluster: Cluster) -> None:
    cluster.fails["stop"] = JobError("it made no savepoint and goes on")
    with pytest.raises(JobError, match="goes on"):
        run(settings)
    assert cluster.steps == ["compile", "ask the broker", "stop"]
    assert cluster.running == OLD


def test_state_that_the_new_job_cannot_read_is_refused_while_the_old_one_runs_on(
    settings: Settings, cluster: Cluster
) -> None:
    known = remembered(settings)
    assert known is not None
    remember(settings, dataclasses.replace(known, base_currency="USD"))
    with pytest.raises(JobError, match=r"amounts are in USD, .* now for EUR.* job submit --fresh"):
        run(settings)
    assert cluster.steps == []
    assert cluster.running == OLD


def test_release_whose_image_has_no_longer_the_old_kernel_is_refused_if_it_misreads_its_state(
    settings: Settings, cluster: Cluster, kernel: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a container the old kernel went with its image, and nothing was compared."""
    kernel.unlink()
    new = make_kernel(kernel.parent.with_name("kernel-2"), "profile=6 5\n")
    monkeypatch.setattr(deploy, "build_kernel", lambda flink: new)
    with pytest.raises(JobError, match="profile state is of version 4, the new release reads 6, 5"):
        run(settings)
    assert cluster.steps == []


@pytest.mark.parametrize("error", [JobError("away"), OSError("read-only")])
def test_old_files_that_stay_do_not_make_the_change_a_failure(
    settings: Settings, cluster: Cluster, error: Exception
) -> None:
    cluster.fails["clear up"] = error
    assert run(settings).outcome == "replaced"
