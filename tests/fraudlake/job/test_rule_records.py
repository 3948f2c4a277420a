"""What a job decides by is kept and recorded; a lake that is away keeps no job from deciding."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fraudlake.job import start
from fraudlake.job.lake_tables import bring_up_tables
from fraudlake.job.launch import Deployment
from fraudlake.job.rule_records import keep_rules, record_rules
from fraudlake.job.start import submit_if_missing, submit_job
from fraudlake.stack.ports import choose_ports
from orchestration.code_version import job_code_version
from pipelines.errors import JobError, SinkError
from pipelines.features import load_features
from pipelines.kept_rules import read_kept
from pipelines.rules import load_ruleset
from pipelines.settings import Settings, StackSettings
from sinks.lakehouse.catalog import open_catalog
from sinks.lakehouse.query.opening import open_lake

if TYPE_CHECKING:
    from collections.abc import Callable

    from pipelines.job_memory import Remembered

SPEED = load_ruleset("speed", load_features()).version


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(stack=StackSettings(home=tmp_path))


@pytest.fixture
def away(settings: Settings) -> Settings:
    """The same stack, whose catalog is a server that nobody has started."""
    port = choose_ports({"port": 0}, strict=False)["port"]
    lakehouse = dataclasses.replace(
        settings.lakehouse,
        catalog_uri=f"postgresql://someone@127.0.0.1:{port}/lake",
        warehouse="/nowhere",
    )
    return dataclasses.replace(settings, lakehouse=lakehouse)


@pytest.fixture
def said() -> list[str]:
    return []


class NoJobs:
    """A cluster that works on nothing."""

    def __init__(self, url: str) -> None:
        pass

    def active_job(self, name: str) -> None:
        return None


def recorded(settings: Settings) -> list[tuple[str, str]]:
    with open_lake(settings) as lake:
        found = lake.ask("select ruleset, origin from rulesets order by 1", limit=9).rows
    return [(str(ruleset), str(origin)) for ruleset, origin in found]


def test_rule_set_of_a_job_that_was_never_published_is_recorded(
    settings: Settings, said: list[str]
) -> None:
    keep_rules(settings, "speed")

    record_rules(settings, say=said.append, warn=said.append)
    record_rules(settings, say=said.append, warn=said.append)

    assert said == [f"rulesets: {SPEED} is recorded"]
    assert recorded(settings) == [(SPEED, "deployed")]


def test_lake_that_is_away_is_told_and_made_up_for(
    settings: Settings, away: Settings, said: list[str]
) -> None:
    keep_rules(away, "speed")

    record_rules(away, say=said.append, warn=said.append)

    [sentence] = said
    assert "the Iceberg catalog does not answer" in sentence
    assert "`fraudlake rules record`" in sentence
    record_rules(settings, say=said.append, warn=said.append)
    assert recorded(settings) == [(SPEED, "deployed")]


def test_damaged_copy_is_told_and_stops_nothing(settings: Settings, said: list[str]) -> None:
    keep_rules(settings, "speed")
    [copy] = (settings.stack.home / "rules").glob("*.toml")
    copy.write_text("")

    record_rules(settings, say=said.append, warn=said.append)

    assert copy.name in said[0]


def test_tables_that_cannot_be_brought_up_now_are_told(away: Settings, said: list[str]) -> None:
    bring_up_tables(away, ruleset="speed", say=said.append, warn=said.append)

    [sentence] = said
    assert "the tables were not brought up: the Iceberg catalog does not answer" in sentence
    assert "`fraudlake lake apply --ruleset speed`" in sentence


def test_tables_that_another_tool_has_changed_are_refused(
    settings: Settings, said: list[str]
) -> None:
    bring_up_tables(settings, ruleset="speed", say=said.append, warn=said.append)
    assert "rulesets: a new table" in said
    with open_catalog(settings) as catalog:
        assert catalog is not None
        with catalog.load_table("fraud.rulesets").update_schema() as update:
            update.rename_column("text", "file")

    with pytest.raises(SinkError, match="has lost its column text"):
        bring_up_tables(settings, ruleset="speed", say=said.append, warn=said.append)


@pytest.fixture
def handed(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What was kept whenever a job was handed to the cluster, which refuses every second one."""
    seen: list[list[str]] = []
    answer = Deployment(job_id="b" * 32, state="RUNNING", ruleset=SPEED, url="", savepoint=None)

    def launched(settings: Settings, draft: Remembered, *_: object) -> Deployment:
        assert draft.code == job_code_version()
        seen.append([one.version for one in read_kept(settings)])
        if len(seen) % 2 == 0:
            msg = "no slots"
            raise JobError(msg)
        return answer

    edges: dict[str, Callable[..., object]] = {
        "FlinkRest": NoJobs,
        "newest_state": lambda settings: None,
        "check_transactions": lambda settings: None,
        "create_topics": lambda kafka, topics: [],
        "find_flink": lambda python: None,
        "build_kernel": lambda flink: Path("/cache/kernel-1/kernel.jar"),
        "write_sql": lambda settings, name: "SELECT 1",
        "launch_job": launched,
    }
    for name, edge in edges.items():
        monkeypatch.setattr(start, name, edge)
    return seen


@pytest.mark.parametrize("submit", [submit_job, submit_if_missing])
def test_submitted_job_is_recorded_with_what_was_kept_before_the_cluster_heard_of_it(
    settings: Settings,
    handed: list[list[str]],
    said: list[str],
    submit: Callable[..., Deployment],
) -> None:
    done = submit(settings, ruleset="speed", say=said.append)

    assert (done.ruleset, handed) == (SPEED, [[SPEED]])
    assert said[-1] == f"rulesets: {SPEED} is recorded"
    assert recorded(settings) == [(SPEED, "deployed")]


def test_job_is_submitted_although_the_lake_is_away(
    settings: Settings, away: Settings, handed: list[list[str]], said: list[str]
) -> None:
    assert submit_job(away, ruleset="speed", warn=said.append).ruleset == SPEED

    assert handed == [[SPEED]]
    assert [sentence.split(":")[0] for sentence in said] == [
        "the tables were not brought up",
        "the rule set is not in the table rulesets yet",
    ]


def test_what_was_left_undone_is_logged_where_nobody_listens(
    away: Settings, handed: list[list[str]], caplog: pytest.LogCaptureFixture
) -> None:
    """As `fraudlake up` does."""
    submit_if_missing(away, ruleset="speed")

    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "the tables were not brought up" in caplog.records[0].getMessage()


def test_rule_set_of_a_submission_that_failed_is_recorded_by_the_next(
    settings: Settings, handed: list[list[str]], said: list[str]
) -> None:
    """It may have decided before it was ended."""
    submit_job(settings, ruleset="speed", say=said.append)
    with pytest.raises(JobError, match="no slots"):
        submit_job(settings, ruleset="classic", say=said.append)
    assert [origin for _, origin in recorded(settings)] == ["deployed"]

    submit_job(settings, ruleset="speed", say=said.append)

    classic = load_ruleset("classic", load_features()).version
    assert recorded(settings) == [(classic, "deployed"), (SPEED, "deployed")]
