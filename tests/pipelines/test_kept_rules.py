"""What came into use stays to be looked up: its file, and when and how it came."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from rules.rule_files import HEAD, load, rule

from pipelines.errors import RulesetError
from pipelines.kept_rules import Arrival, KeptRule, keep, read_kept, rules_folder
from pipelines.settings import Settings, StackSettings

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.kept_rules import Origin

FIRST = datetime(2026, 3, 1, 12, tzinfo=UTC)
LATER = datetime(2026, 3, 2, 12, tzinfo=UTC)
TEXT = HEAD + rule(weight=0.25) + rule("odd", state="shadow", when="amount < 1")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(stack=StackSettings(home=tmp_path / "home"))


def keep_text(
    settings: Settings, text: str, *, origin: Origin = "published", now: datetime = FIRST
) -> Path:
    folder = settings.stack.home.parent
    return keep(settings, load(folder, text), text, source="mine", origin=origin, now=now)


def test_what_is_kept_is_read_as_its_file_says_it(settings: Settings) -> None:
    copy = keep_text(settings, TEXT)

    [found] = read_kept(settings)

    assert copy.read_text() == TEXT
    assert copy.name == f"{found.version.replace('@', '-')}.toml"
    assert (found.id, found.combine, found.review_at, found.block_at) == (
        "mine",
        "noisy_or",
        0.5,
        0.8,
    )
    assert found.rules[1] == KeptRule(
        rule_id="odd",
        owner="risk",
        state="shadow",
        weight=0.5,
        condition="amount < 1",
        because="{base_amount:.2f} spent",
        description="",
    )
    assert found.rules[0].weight == 0.25
    assert found.text == TEXT
    assert found.arrival == Arrival(
        source="mine", origin="published", at="2026-03-01T12:00:00+00:00"
    )
    assert found.arrived_at == FIRST


def test_first_arrival_stays_while_the_file_is_the_newest_of_its_version(
    settings: Settings,
) -> None:
    keep_text(settings, TEXT, origin="deployed")
    keep_text(settings, f"# said better\n{TEXT}", now=LATER)

    [found] = read_kept(settings)

    assert (found.arrival and found.arrival.origin, found.arrived_at) == ("deployed", FIRST)
    assert found.text.startswith("# said better")


def test_version_that_is_older_than_its_arrival_file_is_not_given_a_time(
    settings: Settings,
) -> None:
    """Files of a release that did not keep when they came: today is not when that was."""
    keep_text(settings, TEXT)
    [arrival] = rules_folder(settings).glob("*.json")
    arrival.unlink()
    keep_text(settings, TEXT, now=LATER)

    [found] = read_kept(settings)

    assert (found.arrival, found.arrived_at) == (None, None)


def test_column_that_this_release_does_not_know_keeps_no_rule_set_from_being_read(
    settings: Settings,
) -> None:
    copy = keep_text(settings, TEXT)
    copy.write_text(TEXT.replace("amount < 1", "amount_of_old < 1"))

    assert read_kept(settings)[0].rules[1].condition == "amount_of_old < 1"


def test_other_files_of_the_folder_are_no_rule_sets(settings: Settings) -> None:
    assert read_kept(settings) == []
    copy = keep_text(settings, TEXT)
    for name in ("active.json", "notes.toml", f"{copy.name}.1f.draft"):
        (copy.parent / name).write_text("{")

    assert len(read_kept(settings)) == 1


@pytest.mark.parametrize(
    ("name", "damaged"),
    [
        ("toml", ""),
        ("toml", "[ruleset"),
        ("toml", "ruleset = 1\nrule = 2"),
        ("toml", HEAD),
        ("toml", HEAD + '[[rule]]\nid = "big"\n'),
        ("json", "{"),
        ("json", "{}"),
        ("json", '{"source": "a", "origin": "published", "at": "then"}'),
    ],
)
def test_damaged_file_is_named_with_what_to_do(settings: Settings, name: str, damaged: str) -> None:
    copy = keep_text(settings, TEXT)
    copy.with_suffix(f".{name}").write_text(damaged)

    with pytest.raises(RulesetError, match=r"mine-[0-9a-f]{12}\.toml is not the rule set .*delete"):
        read_kept(settings)


def test_two_that_keep_the_same_version_at_once_do_not_disturb_each_other(
    settings: Settings,
) -> None:
    failures: list[Exception] = []
    ruleset = load(settings.stack.home.parent, TEXT)
    together = threading.Barrier(4)

    def work() -> None:
        together.wait()
        try:
            for _ in range(50):
                keep(settings, ruleset, TEXT, source="mine", origin="deployed", now=FIRST)
        except OSError as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert [one.text for one in read_kept(settings)] == [TEXT]
    assert sorted(path.suffix for path in rules_folder(settings).iterdir()) == [".json", ".toml"]
