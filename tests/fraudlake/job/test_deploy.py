"""The order of a deployment: what is refused before the old job stops, and what is taken back."""

from __future__ import annotations

import dataclasses
import zipfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from fraudlake.job import deploy
from fraudlake.job.build import build_of
from fraudlake.job.deploy import deploy_job
from fraudlake.job.kept_parts import keep_kernel
from fraudlake.job.launch import Deployment
from fraudlake.job.state_check import LAYOUTS
from fraudlake.job.switch_report import Mark, SwitchReport
from pipelines.errors import JobError, RulesetError, TransientError
from pipelines.flink import Checkpoints, Job
from pipelines.job_memory import Remembered, remember, remembered, statement_file
from pipelines.settings import FlinkSettings, Settings, StackSettings
from sinks.lakehouse.query.opening import open_lake

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

OLD, NEW, BACK = "a" * 32, "b" * 32, "c" * 32
STOPPED_AT = "file:/savepoint-1"
SWITCH = SwitchReport(records=9, lost=0, doubled=0, gap_s=2.5, decided_under_new=4)


@dataclass(kw_only=True)
class Cluster:
    """A cluster with one job at most; it writes down what is done to it, in order."""

    running: str | None = OLD
    fails: dict[str, BaseException] = field(default_factory=dict)
    checkpoints_made: int = 1
    newer_state: str | None = None
    stops_later: bool = False
    steps: list[str] = field(default_factory=list)
    origins: list[str | None] = field(default_factory=list)
    tables_ready: list[bool] = field(default_factory=list)
    replaced: list[str | None] = field(default_factory=list)
    """The rule set of what would come back, while a new job is started."""

    def step(self, name: str) -> None:
        self.steps.append(name)
        if name in self.fails:
            raise self.fails[name]

    def active_job(self, name: str) -> Job | None:
        return next(iter(self.jobs(name)), None)

    def jobs(self, name: str) -> list[Job]:
        if self.running is None:
            return []
        return [Job(job_id=self.running, name=name, state="RUNNING", started_ms=0, duration_ms=0)]

    def checkpoints(self, job_id: str) -> Checkpoints:
        if "look at checkpoints" in self.fails:
            raise self.fails["look at checkpoints"]
        return Checkpoints(
            completed=self.checkpoints_made,
            failed=0,
            restored=0,
            latest_ms=None,
            latest_bytes=None,
            latest_duration_ms=None,
        )

    def root_cause(self, job_id: str) -> str:
        return "no slots"

    def cancel(self, job_id: str) -> None:
        self.step("cancel")
        self.running = None

    def await_end(self, job_id: str, *, wait_seconds: float) -> None:
        if self.stops_later:
            self.running, self.newer_state = None, STOPPED_AT

    def stop(self, settings: Settings, rest: Cluster, job: Job, *, is_making_way: bool) -> str:
        assert is_making_way
        self.step("stop")
        self.running = None
        return STOPPED_AT

    def start(
        self,
        settings: Settings,
        *,
        ruleset: str,
        are_tables_ready: bool = False,
        replaces: Remembered | None = None,
        say: Callable[[str], None] | None = None,
        warn: Callable[[str], None] | None = None,
    ) -> Deployment:
        self.tables_ready.append(are_tables_ready)
        self.replaced.append(None if replaces is None else replaces.ruleset)
        remember(settings, Remembered(job_id=NEW, ruleset=f"{ruleset}@new", replaces=replaces))
        self.step("start")
        return self._run(NEW, f"{ruleset}@new", STOPPED_AT)

    def start_again(self, settings: Settings, known: Remembered, *, savepoint: str) -> Deployment:
        self.step("start again")
        return self._run(BACK, known.ruleset, savepoint)

    def _run(self, job_id: str, ruleset: str, origin: str | None) -> Deployment:
        self.running = job_id
        self.origins.append(origin)
        return Deployment(job_id=job_id, state="RUNNING", ruleset=ruleset, url="", savepoint=origin)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(stack=StackSettings(home=tmp_path), flink=FlinkSettings(ruleset="classic"))


@pytest.fixture
def kernel(tmp_path: Path) -> Path:
    """In the cache, made of the sources as they are."""
    return make_kernel(tmp_path / "kernel-1", "profile=4 3\n")


def make_kernel(folder: Path, layouts: str) -> Path:
    folder.mkdir()
    with zipfile.ZipFile(folder / "kernel.jar", "w") as jar:
        jar.writestr(LAYOUTS, layouts)
    return folder / "kernel.jar"


@pytest.fixture
def cluster(settings: Settings, kernel: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    """What is deployed is rule set `classic`, by sources that have not changed since."""
    one = Cluster()
    edges = {
        "FlinkRest": lambda url: one,
        "find_flink": lambda python: None,
        "build_kernel": lambda flink: kernel,
        "write_sql": lambda settings, name: f"the statement of {name}",
        "run_submission": lambda *words: one.step("compile"),
        "check_transactions": lambda settings: one.step("ask the broker"),
        "stop_held": one.stop,
        "submit_held": one.start,
        "submit_again": one.start_again,
        "newest_state": lambda settings: one.newer_state,
        "mark_progress": lambda settings: Mark(read={}, decided={}, refused={}),
        "report_switch": lambda settings, mark, *, ruleset: SWITCH,
        "clear_old_states": lambda settings, *, working: one.step("clear up") or [],
    }
    for name, edge in edges.items():
        monkeypatch.setattr(deploy, name, edge)
    build = build_of(settings, "the statement of classic", kernel)
    known = Remembered(
        job_id=OLD,
        ruleset="classic@old",
        ruleset_name="classic",
        build=build,
        kernel=str(keep_kernel(settings, OLD, kernel)),
    )
    remember(settings, known)
    statement_file(settings, OLD).write_text("{}")
    return one


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


@pytest.mark.parametrize("error", [JobError("no slots"), TransientError("Flink is away")])
def test_start_that_fails_is_taken_back_and_says_so(
    settings: Settings, cluster: Cluster, error: Exception
) -> None:
    cluster.fails["start"] = error
    with pytest.raises(JobError) as caught:
        run(settings)
    assert cluster.steps[-2:] == ["start", "start again"]
    assert cluster.origins == [STOPPED_AT]
    assert cluster.running == BACK
    for told in (str(error), BACK, "classic@old"):
        assert told in str(caught.value)


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt(), SystemExit(1), KeyError("transaction.max.timeout.ms")]
)
@pytest.mark.parametrize("is_submitted", [False, True])
def test_change_that_is_interrupted_or_meets_a_fault_of_ours_is_taken_back(
    settings: Settings, cluster: Cluster, error: BaseException, is_submitted: bool
) -> None:
    """A run that was cancelled in the gap left the stream down, and nobody started it."""
    if is_submitted:
        cluster.fails["look at checkpoints"] = error
    else:
        cluster.fails["start"] = error
    said: list[str] = []
    with pytest.raises(type(error)) as caught:
        deploy_job(settings, ruleset="speed", say=said.append)
    assert caught.value is error
    assert cluster.running == BACK
    assert cluster.origins[-1] == STOPPED_AT
    assert said[-1] == f"The old one runs again, from its savepoint, as {BACK} (classic@old)"


@pytest.mark.parametrize("stops_later", [True, False])
def test_change_that_is_interrupted_while_the_old_job_stops_starts_it_again(
    settings: Settings, cluster: Cluster, stops_later: bool
) -> None:
    """Flink ends it behind its savepoint, whoever waits for that."""
    cluster.fails["stop"], cluster.stops_later = KeyboardInterrupt(), stops_later
    with pytest.raises(KeyboardInterrupt):
        run(settings)
    assert cluster.running == (BACK if stops_later else OLD)
    assert cluster.origins == ([STOPPED_AT] if stops_later else [])


def test_change_that_is_interrupted_as_it_says_so_tells_that_the_old_job_goes_on(
    settings: Settings, cluster: Cluster
) -> None:
    """The signal often comes while the line is written; the command then ended without a word."""
    said: list[str] = []

    def say(line: str) -> None:
        said.append(line)
        if line.startswith("stopping the old job"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deploy_job(settings, ruleset="speed", say=say)

    assert cluster.running == OLD
    assert said[-1] == "the old job goes on. Should it stop after all, the keeper starts it again"


def test_new_job_that_is_being_ended_is_not_taken_for_one_that_a_person_ended(
    settings: Settings, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while it takes the change back: the keeper then goes on with that."""
    monkeypatch.setattr(deploy, "RUNNING_SECONDS", 0.0)
    cluster.checkpoints_made = 0
    cluster.fails["cancel"] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt):
        run(settings)
    known = remembered(settings)
    assert known is not None
    assert known.replaces is not None
    assert (known.job_id, known.is_making_way, known.replaces.job_id) == (NEW, True, OLD)


@pytest.mark.parametrize("newer", [None, "file:/checkpoint-7"])
def test_new_job_without_a_checkpoint_is_ended_before_the_old_one_starts(
    settings: Settings, cluster: Cluster, monkeypatch: pytest.MonkeyPatch, newer: str | None
) -> None:
    monkeypatch.setattr(deploy, "RUNNING_SECONDS", 0.0)
    cluster.checkpoints_made, cluster.newer_state = 0, newer
    with pytest.raises(JobError, match="no checkpoint within 0 s: no slots"):
        run(settings)
    assert cluster.steps[-3:] == ["start", "cancel", "start again"]
    # One that it made after we gave up has committed: the savepoint would decide that again.
    assert cluster.origins[-1] == (newer or STOPPED_AT)


def test_new_job_that_died_after_its_checkpoint_gives_its_state_to_the_old_one(
    settings: Settings, cluster: Cluster
) -> None:
    cluster.fails["start"] = TransientError("Flink is away")
    cluster.newer_state = "file:/checkpoint-7"
    with pytest.raises(JobError):
        run(settings)
    assert cluster.origins == ["file:/checkpoint-7"]


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


def test_old_job_comes_back_although_the_new_image_has_no_longer_its_kernel(
    settings: Settings, cluster: Cluster, kernel: Path
) -> None:
    cluster.fails["start"] = JobError("no slots")
    kernel.unlink()
    with pytest.raises(JobError, match="The old one runs again"):
        run(settings)
    assert cluster.running == BACK


@pytest.mark.parametrize("part", ["json", "jar"])
def test_old_job_that_is_not_kept_cannot_come_back_and_the_way_is_told(
    settings: Settings, cluster: Cluster, part: str
) -> None:
    cluster.fails["start"] = JobError("no slots")
    statement_file(settings, OLD).with_suffix(f".{part}").unlink()
    said: list[str] = []
    with pytest.raises(JobError, match=f"submit --ruleset NAME --savepoint {STOPPED_AT}"):
        deploy_job(settings, ruleset="speed", say=said.append)
    assert said[0].startswith("what the running job was made of is not kept")
    assert cluster.steps[-1] == "start"


@pytest.mark.parametrize("error", [JobError("away"), OSError("read-only")])
def test_old_files_that_stay_do_not_make_the_change_a_failure(
    settings: Settings, cluster: Cluster, error: Exception
) -> None:
    cluster.fails["clear up"] = error
    assert run(settings).outcome == "replaced"
