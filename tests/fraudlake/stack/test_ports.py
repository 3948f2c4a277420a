"""Ports: the preferred ones if free, others if not, and never the same twice."""

from __future__ import annotations

import os
import random
import re
import socket

import pytest

from fraudlake.stack.flink_metrics import preferred_metrics_ports
from fraudlake.stack.ports import choose_ports, port_answers, port_is_free
from pipelines.errors import StackError
from pipelines.settings import StackSettings

WANTED = {"kafka_port": 9092, "flink_port": 8081, "dagster_port": 3000}


def test_free_preferred_ports_are_taken() -> None:
    assert choose_ports(WANTED, strict=True, is_free=lambda _: True) == WANTED


def test_taken_port_is_replaced_and_the_others_are_kept() -> None:
    chosen = choose_ports(
        WANTED, strict=False, is_free=lambda port: port != 8081, source=random.Random(1)
    )
    assert (chosen["kafka_port"], chosen["dagster_port"]) == (9092, 3000)
    assert 20000 <= chosen["flink_port"] < 32000


@pytest.mark.parametrize("port", [-1, 65_536, 99_999])
def test_what_is_no_port_is_refused_by_the_name_of_its_setting(port: int) -> None:
    with pytest.raises(StackError, match=f"FRAUDLAKE_STACK_KAFKA_PORT={port} is no port"):
        choose_ports({"kafka_port": port}, strict=False)


def test_no_port_is_given_twice() -> None:
    same = dict.fromkeys(("a", "b", "c"), 9092)
    chosen = choose_ports(same, strict=False, is_free=lambda _: True)
    assert chosen["a"] == 9092
    assert len(set(chosen.values())) == 3


def test_zero_stands_for_any_port_even_when_strict() -> None:
    chosen = choose_ports({"a": 0, "b": 0}, strict=True, is_free=lambda _: True)
    assert all(20000 <= port < 32000 for port in chosen.values())


def test_strict_names_the_setting_and_who_holds_the_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(StackError) as caught:
            choose_ports({"kafka_port": port}, strict=True)
    assert f"port {port} (kafka_port) is taken by" in str(caught.value)
    assert f"(process {os.getpid()})" in str(caught.value)
    assert "FRAUDLAKE_STACK_KAFKA_PORT" in str(caught.value)


def test_strict_names_settings_that_exist() -> None:
    stack = StackSettings(taskmanagers=3)
    names = {*WANTED, *preferred_metrics_ports(stack)}
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for name in names:
            with pytest.raises(StackError) as caught:
                choose_ports({name: port}, strict=True)
            found = re.findall(r"FRAUDLAKE_STACK_\w+", str(caught.value))
            for setting in found:
                assert hasattr(stack, setting.removeprefix("FRAUDLAKE_STACK_").lower()), setting


def test_listener_on_all_addresses_takes_the_port() -> None:
    with socket.create_server(("0.0.0.0", 0)) as server:
        port = server.getsockname()[1]
        assert not port_is_free(port)
        assert port_answers(port)
    assert port_is_free(port)
    assert not port_answers(port)


def test_nothing_free_is_an_error() -> None:
    with pytest.raises(StackError, match="no free port"):
        choose_ports({"a": 1}, strict=False, is_free=lambda _: False)
