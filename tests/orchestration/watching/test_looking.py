"""Looking where nobody answers: said in words, and never for long."""

from __future__ import annotations

import dataclasses
import socket
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from orchestration.watching import looking
from orchestration.watching.glance import Trouble
from orchestration.watching.looking import Lookout, read_notes
from pipelines.errors import SettingsError
from pipelines.job_memory import Remembered, hold_job, remember
from pipelines.published_rules import publish
from pipelines.settings import Settings, StackSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LONGEST = 6.0


@contextmanager
def somewhere(*, is_silent: bool) -> Iterator[str]:
    """An address that refuses connections, or takes them and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        if is_silent:
            yield address
            return
    yield address


@pytest.mark.parametrize("is_silent", [False, True])
def test_look_at_nothing_but_dead_servers_ends_in_time_and_names_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_silent: bool
) -> None:
    with somewhere(is_silent=is_silent) as away:
        for name, value in {
            "STACK_HOME": str(tmp_path),
            "KAFKA_BOOTSTRAP_SERVERS": away,
            "FLINK_REST_URL": f"http://{away}",
            "ELASTICSEARCH_URL": f"http://{away}",
            "LAKEHOUSE_CATALOG_URI": f"http://{away}/catalog",
            "LAKEHOUSE_WAREHOUSE": "w",
        }.items():
            monkeypatch.setenv(f"FRAUDLAKE_{name}", value)
        begun = time.monotonic()
        seen = Lookout().look(NOW)
        seconds = time.monotonic() - begun

    flink, kafka, index, lake = seen.troubles
    assert flink.startswith(f"no Flink cluster answers at http://{away}")
    assert kafka.startswith(f"no Kafka broker answers at {away}")
    assert index.startswith(f"Elasticsearch at http://{away} does not answer")
    assert f"http://{away}/catalog" in lake
    assert not isinstance(seen.notes, Trouble)
    assert seconds < LONGEST


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (KeyError("jobs"), "could not be looked at: KeyError: 'jobs'"),
        (TypeError("an answer of another kind"), "TypeError: an answer of another kind"),
        (ValueError("no JSON"), "ValueError: no JSON"),
        (OSError("disk"), "OSError: disk"),
    ],
)
def test_answer_that_nobody_foresaw_troubles_its_system_alone_and_is_logged(
    error: Exception,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def look_wrongly(settings: Settings) -> None:
        raise error

    monkeypatch.setattr(looking, "look_at_stream", look_wrongly)
    monkeypatch.setattr(looking, "QUESTION_SECONDS", 0.2)  # nobody else answers
    with somewhere(is_silent=False) as away:
        for name, value in {
            "STACK_HOME": str(tmp_path),
            "KAFKA_BOOTSTRAP_SERVERS": away,
            "ELASTICSEARCH_URL": f"http://{away}",
            "LAKEHOUSE_CATALOG_URI": f"http://{away}/catalog",
            "LAKEHOUSE_WAREHOUSE": "w",
        }.items():
            monkeypatch.setenv(f"FRAUDLAKE_{name}", value)
        seen = Lookout().look(NOW)

    assert isinstance(seen.stream, Trouble)
    assert words in seen.stream.sentence
    assert not isinstance(seen.notes, Trouble)
    assert "look_wrongly" in caplog.text


def test_wrong_setting_is_for_the_caller_to_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAUDLAKE_STACK_HOME", str(tmp_path))
    monkeypatch.setenv("FRAUDLAKE_KAFKA_PARTITIONS", "many")
    with pytest.raises(SettingsError, match="FRAUDLAKE_KAFKA_PARTITIONS"):
        Lookout().look(NOW)


def test_notes_tell_what_was_deployed_stopped_published_and_is_under_way(tmp_path: Path) -> None:
    settings = dataclasses.replace(Settings(), stack=StackSettings(home=tmp_path))
    blank = read_notes(settings)
    assert (blank.deployed_id, blank.is_stopped, blank.published) == (None, False, None)

    remember(settings, Remembered(job_id="a1", ruleset="r@1", is_stopped=True))
    version = publish(settings, ruleset="speed", now=NOW).published.version
    with hold_job(settings):
        notes = read_notes(settings)
    assert (notes.deployed_id, notes.is_stopped, notes.published) == ("a1", True, version)
    assert notes.is_being_changed

    (tmp_path / "rules" / "active.json").write_text("{")
    damaged = read_notes(settings)
    assert (damaged.deployed_id, damaged.is_stopped) == ("a1", True)
    assert isinstance(damaged.published, Trouble)
    assert "Publish one again" in damaged.published.sentence
    assert not read_notes(settings).is_being_changed
