"""Publishing: what is faulty changes nothing, what is published stays as it was."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from rules.rule_files import HEAD, rule

from pipelines.errors import RulesetError
from pipelines.job_memory import Remembered, remember
from pipelines.published_rules import publish, published_file, read_published
from pipelines.settings import FlinkSettings, Settings, StackSettings

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
NEAR_MISS = """
[[rule.example]]
given = { base_amount = 100 }
fires = true
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(
        stack=StackSettings(home=tmp_path / "home"), flink=FlinkSettings(ruleset="speed")
    )


@pytest.fixture
def mine(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(HEAD + rule())
    return path


def test_published_file_is_kept_while_its_source_is_edited(settings: Settings, mine: Path) -> None:
    first = publish(settings, ruleset=str(mine), now=NOW)
    text = mine.read_text()
    mine.write_text(HEAD + rule(weight=0.9))

    known = read_published(settings)
    assert known is not None
    assert known.version == first.ruleset.version
    assert known.at == "2026-03-01T12:00:00+00:00"
    assert published_file(settings, known).read_text() == text

    second = publish(settings, ruleset=None, now=NOW)
    assert (second.before, second.published.source) == (first.published.version, str(mine))
    assert "| big | weight | 0.5 | 0.9 |" in second.difference


def test_faulty_file_is_refused_with_every_fault_and_nothing_changes(
    settings: Settings, mine: Path
) -> None:
    publish(settings, ruleset=str(mine), now=NOW)
    before = read_published(settings)
    mine.write_text(HEAD + rule(when="base_amont > 200", weight=-1))

    with pytest.raises(RulesetError) as caught:
        publish(settings, ruleset=None, now=NOW)

    faults = str(caught.value).splitlines()
    assert len(faults) == 2
    assert any("base_amont" in fault for fault in faults)
    assert any("weight" in fault for fault in faults)
    assert read_published(settings) == before


def test_rule_that_misses_its_own_example_is_refused(settings: Settings, mine: Path) -> None:
    mine.write_text(HEAD + rule(more=NEAR_MISS))
    with pytest.raises(RulesetError, match="rule big does not fire on its example"):
        publish(settings, ruleset=str(mine), now=NOW)
    assert read_published(settings) is None


def test_unnamed_it_is_what_the_job_was_deployed_with_else_the_settings(
    settings: Settings, mine: Path
) -> None:
    assert publish(settings, ruleset=None, now=NOW).published.source == "speed"
    other = Settings(stack=StackSettings(home=mine.parent / "other"))
    remember(other, Remembered(job_id="a" * 32, ruleset="mine@1", ruleset_name=str(mine)))
    assert publish(other, ruleset=None, now=NOW).published.source == str(mine)


def test_what_is_new_gone_and_other_stands_in_the_difference(
    settings: Settings, mine: Path
) -> None:
    mine.write_text(HEAD + rule() + rule("odd", when="base_amount > 9"))
    publish(settings, ruleset=str(mine), now=NOW)
    mine.write_text(HEAD.replace("0.8", "0.9") + rule(state="shadow") + rule("new"))

    lines = publish(settings, ruleset=None, now=NOW).difference.splitlines()

    assert lines[4:] == [
        "| (all) | block_at | 0.8 | 0.9 |",
        "| big | state | active | shadow |",
        "| new | added |  | active, weight 0.5: base_amount > 200 |",
        "| odd | removed | active, weight 0.5: base_amount > 9 |  |",
    ]


@pytest.mark.parametrize("damaged", ["{", "[]", '{"version": "a"}', ""])
def test_publishing_mends_a_file_that_says_nothing_and_says_so(
    settings: Settings, damaged: str
) -> None:
    publish(settings, ruleset=None, now=NOW)
    path = settings.stack.home / "rules" / "active.json"
    path.write_text(damaged)

    done = publish(settings, ruleset=None, now=NOW)

    assert read_published(settings) == done.published
    assert done.before is None
    lost, _ = done.difference.split("\n\n", 1)
    assert lost.startswith(f"What was in force is not known: {path} does not say which")
    assert "Publish one again" not in lost


def test_file_that_says_which_is_in_force_is_not_guessed_at(settings: Settings) -> None:
    folder = settings.stack.home / "rules"
    folder.mkdir(parents=True)
    (folder / "active.json").write_text("{")
    with pytest.raises(RulesetError, match=r"active\.json does not say"):
        read_published(settings)
