"""Which parts run here, with which addresses."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest

from fraudlake.stack.parts import (
    apply_endpoints,
    check_children_agree,
    choose_endpoints,
    local_servers,
    wanted_workers,
)
from pipelines.errors import SettingsError
from pipelines.settings import (
    ElasticsearchSettings,
    FlinkSettings,
    KafkaSettings,
    Settings,
    StackSettings,
)

if TYPE_CHECKING:
    from pathlib import Path

    from fraudlake.stack.home import Endpoints


def test_external_servers_are_not_started() -> None:
    everything = Settings(stack=StackSettings(taskmanagers=2))
    assert local_servers(everything) == [
        "kafka",
        "elasticsearch",
        "jobmanager",
        "taskmanager-1",
        "taskmanager-2",
    ]
    nothing = Settings(
        kafka=KafkaSettings(external=True),
        flink=FlinkSettings(external=True),
        elasticsearch=ElasticsearchSettings(external=True),
    )
    assert local_servers(nothing) == []
    assert set(choose_endpoints(nothing)) == {"dagster", "ports"}


def test_sinks_that_run_elsewhere_are_not_started() -> None:
    here, elsewhere = Settings(), Settings(stack=StackSettings(sinks_external=True))
    assert wanted_workers(here, ui=False) == ["lakehouse-sink", "alerts-sink", "job-keeper"]
    assert wanted_workers(elsewhere, ui=True) == ["job-keeper", "dagster"]


def test_chosen_addresses_reach_the_settings_and_external_ones_stay() -> None:
    settings = Settings(
        elasticsearch=ElasticsearchSettings(external=True, url="https://search.example")
    )
    endpoints = choose_endpoints(settings)
    applied = apply_endpoints(settings, endpoints)
    assert applied.kafka.bootstrap_servers == f"127.0.0.1:{endpoints['ports']['kafka_port']}"
    assert applied.flink.rest_url == f"http://127.0.0.1:{endpoints['ports']['flink_port']}"
    assert applied.elasticsearch.url == "https://search.example"
    # Our own broker waits for an hour; a stack that an earlier release started did not say so.
    assert applied.kafka.transaction_timeout_s == 3600
    earlier: Endpoints = {"kafka": {"bootstrap_servers": "127.0.0.1:9999"}}
    assert apply_endpoints(settings, earlier).kafka.transaction_timeout_s == 840


def test_setting_that_would_lead_the_sinks_elsewhere_is_refused(tmp_path: Path) -> None:
    ours = Settings(
        stack=StackSettings(home=tmp_path), kafka=KafkaSettings(bootstrap_servers="127.0.0.1:9092")
    )
    check_children_agree(ours, {}, tmp_path)
    elsewhere = {"FRAUDLAKE_KAFKA_BOOTSTRAP_SERVERS": "10.0.0.1:9092"}
    with pytest.raises(SettingsError, match="FRAUDLAKE_KAFKA_EXTERNAL=true"):
        check_children_agree(ours, elsewhere, tmp_path)


def test_endpoints_win_over_the_defaults_of_the_children(tmp_path: Path) -> None:
    (tmp_path / "endpoints.toml").write_text('[flink]\nrest_url = "http://127.0.0.1:8082"\n')
    ours = Settings(stack=StackSettings(home=tmp_path))
    with pytest.raises(SettingsError, match=r"flink\.rest_url is set to http://127.0.0.1:8082"):
        check_children_agree(ours, {}, tmp_path)
    moved = dataclasses.replace(ours.flink, rest_url="http://127.0.0.1:8082")
    check_children_agree(dataclasses.replace(ours, flink=moved), {}, tmp_path)
