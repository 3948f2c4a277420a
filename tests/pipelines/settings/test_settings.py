from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pipelines.errors import SettingsError
from pipelines.settings import Secret, Settings

if TYPE_CHECKING:
    from pathlib import Path


def test_without_files_and_variables_the_defaults_point_at_this_machine(tmp_path: Path) -> None:
    settings = Settings.from_env({}, cwd=tmp_path)
    assert settings.kafka.bootstrap_servers == "127.0.0.1:9092"
    assert settings.stack.home == tmp_path / ".fraudlake"
    assert settings.kafka.topics().transactions.name == "transactions"


def test_the_environment_wins_over_the_file_and_the_file_over_the_endpoints(
    tmp_path: Path,
) -> None:
    home = tmp_path / "stack"
    home.mkdir()
    (home / "endpoints.toml").write_text(
        '[kafka]\nbootstrap_servers = "endpoints:1"\npartitions = 8\ntopic_prefix = "e-"\n'
    )
    (tmp_path / "fraudlake.toml").write_text(
        '[stack]\nhome = "stack"\n[kafka]\npartitions = 6\ntopic_prefix = "f-"\n'
    )
    environ = {"FRAUDLAKE_KAFKA_TOPIC_PREFIX": "v-", "PATH": "/bin"}
    kafka = Settings.from_env(environ, cwd=tmp_path).kafka
    assert (kafka.bootstrap_servers, kafka.partitions, kafka.topic_prefix) == (
        "endpoints:1",
        6,
        "v-",
    )


def test_values_from_the_environment_get_the_type_of_their_field(tmp_path: Path) -> None:
    environ = {
        "FRAUDLAKE_KAFKA_EXTERNAL": "yes",
        "FRAUDLAKE_LAKEHOUSE_COMMIT_SECONDS": "2.5",
        "FRAUDLAKE_FLINK_STATE_BACKEND": "rocksdb",
        "FRAUDLAKE_STACK_HOME": str(tmp_path / "x"),
    }
    settings = Settings.from_env(environ, cwd=tmp_path)
    assert settings.kafka.external is True
    assert settings.lakehouse.commit_seconds == 2.5
    assert settings.flink.state_backend == "rocksdb"
    assert settings.stack.home == tmp_path / "x"


def test_every_fault_is_in_one_error_with_a_suggestion(tmp_path: Path) -> None:
    (tmp_path / "fraudlake.toml").write_text("[kafka]\npartition = 3\n")
    environ = {
        "FRAUDLAKE_KAFKA_PARTITIONS": "many",
        "FRAUDLAKE_LAKEHOUSE_COMMIT_ROWS": "0",
        "FRAUDLAKE_FLINK_STATE_BACKEND": "redis",
        "FRAUDLAKE_KAFKA_EXTERNAL": "perhaps",
        "FRAUDLAKE_KAFKA_TOPIC_PREFX": "x",
    }
    with pytest.raises(SettingsError) as caught:
        Settings.from_env(environ, cwd=tmp_path)
    for part in (
        "FRAUDLAKE_KAFKA_PARTITIONS='many': must be a number",
        "FRAUDLAKE_LAKEHOUSE_COMMIT_ROWS='0': must be above 0",
        "FRAUDLAKE_FLINK_STATE_BACKEND='redis': must be one of hashmap, rocksdb",
        "FRAUDLAKE_KAFKA_EXTERNAL='perhaps': must be true or false",
        "unknown variable FRAUDLAKE_KAFKA_TOPIC_PREFX - did you mean FRAUDLAKE_KAFKA_TOPIC_PREFIX?",
        "unknown setting kafka.partition - did you mean partitions?",
    ):
        assert part in str(caught.value)


def test_a_file_that_is_not_toml_or_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "fraudlake.toml").write_text("kafka = [")
    with pytest.raises(SettingsError, match=r"fraudlake\.toml is not TOML"):
        Settings.from_env({}, cwd=tmp_path)
    with pytest.raises(SettingsError, match=r"FRAUDLAKE_CONFIG=other\.toml: no such file"):
        Settings.from_env({"FRAUDLAKE_CONFIG": "other.toml"}, cwd=tmp_path)


def test_a_secret_shows_itself_only_when_asked(tmp_path: Path) -> None:
    prefix = "FRAUDLAKE_ELASTICSEARCH_"
    environ = {f"{prefix}USERNAME": "sink", f"{prefix}PASSWORD": "hunter2"}
    settings = Settings.from_env(environ, cwd=tmp_path)
    password = settings.elasticsearch.password
    assert "hunter2" not in f"{settings!r} {password} {password!r} {password:>10}"
    assert password.reveal() == "hunter2"
    assert isinstance(password, Secret)


@pytest.mark.parametrize("content", ["[stak]\nkafka_port = 1\n", "[stak]\n"])
def test_an_unknown_section_is_named_once_with_the_one_that_was_meant(
    tmp_path: Path, content: str
) -> None:
    (tmp_path / "fraudlake.toml").write_text(content)
    with pytest.raises(SettingsError) as caught:
        Settings.from_env({}, cwd=tmp_path)
    assert str(caught.value) == "fraudlake.toml: unknown section [stak] - did you mean stack?"


def test_link_to_the_job_is_for_a_browser_where_flink_is_reached_otherwise(tmp_path: Path) -> None:
    """From within a container Flink has a name that no browser knows."""
    environ = {"FRAUDLAKE_FLINK_REST_URL": "http://jobmanager:8081"}
    flink = Settings.from_env(environ, cwd=tmp_path).flink
    assert flink.page_of("a1") == "http://jobmanager:8081/#/job/a1"

    environ["FRAUDLAKE_FLINK_PAGE_URL"] = "http://127.0.0.1:8081"
    flink = Settings.from_env(environ, cwd=tmp_path).flink
    assert flink.page_of("a1") == "http://127.0.0.1:8081/#/job/a1"
