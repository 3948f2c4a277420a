"""What is written for each server before it starts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fraudlake.stack.elasticsearch import data_folder, elasticsearch_program, reachable_by_all
from fraudlake.stack.flink import checkpoint_uri, cluster_config, flink_programs
from fraudlake.stack.flink_home import FlinkHome
from fraudlake.stack.flink_memory import FlinkMemory, Kind, parse_answers, read_memory
from fraudlake.stack.home import Home
from fraudlake.stack.java import Java
from fraudlake.stack.kafka import render_properties
from pipelines.errors import StackError
from pipelines.settings import FlinkSettings, Settings, StackSettings

if TYPE_CHECKING:
    from fraudlake.stack.program import Program

JAVA = Java(home=Path("/usr/lib/jvm/x"), major=17, has_compiler=True)
METRICS_PORTS = {"jobmanager_metrics_port": 9249, "taskmanager_metrics_port": 9250}


def test_everything_listens_on_the_loopback_only(tmp_path: Path) -> None:
    kafka = render_properties(tmp_path, port=1111, controller_port=2222)
    assert "listeners=PLAINTEXT://127.0.0.1:1111,CONTROLLER://127.0.0.1:2222\n" in kafka
    flink = cluster_config(tmp_path, Settings(), port=3333, rpc_port=4444)
    for name in (
        "jobmanager.rpc.address",
        "jobmanager.bind-host",
        "taskmanager.host",
        "taskmanager.bind-host",
        "rest.address",
        "rest.bind-address",
    ):
        assert flink[name] == "127.0.0.1"


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        ("", "file:///srv/flink"),
        ("/data/chk", "file:///data/chk"),
        ("s3://bucket/chk/", "s3://bucket/chk"),
    ],
)
def test_checkpoints_go_where_the_setting_says(configured: str, expected: str) -> None:
    assert checkpoint_uri(Path("/srv/flink"), configured) == expected


def test_state_on_the_heap_leaves_the_memory_to_the_heap() -> None:
    def managed(settings: Settings) -> object:
        config = cluster_config(Path("/f"), settings, port=1, rpc_port=2)
        return config["taskmanager.memory.managed.fraction"]

    assert managed(Settings(flink=FlinkSettings(state_backend="hashmap"))) == 0.1
    assert managed(Settings(flink=FlinkSettings(state_backend="rocksdb"))) == 0.4


@pytest.fixture
def flink(tmp_path: Path) -> FlinkHome:
    conf = tmp_path / "pyflink" / "conf"
    conf.mkdir(parents=True)
    (conf / "config.yaml").write_text("env:\n  java:\n    opts:\n      all: --add-opens=a/b=ALL\n")
    (conf / "log4j-cli.properties").write_text("")
    return FlinkHome(python=tmp_path / "python", home=tmp_path / "pyflink", version="2.3.0")


def divide(kind: Kind, config: str, **_: object) -> FlinkMemory:
    assert "taskmanager.numberOfTaskSlots: 2\n" in config
    return FlinkMemory(jvm=("-Xmx1",), options=("-D", f"x={kind}"))


def programs_of(home: Home, settings: Settings, flink: FlinkHome) -> list[Program]:
    return flink_programs(
        home,
        settings,
        flink,
        JAVA,
        port=1,
        rpc_port=2,
        kernel=Path("/srv/kernel.jar"),
        metrics_ports=METRICS_PORTS,
        divide=divide,
    )


def test_flink_keeps_the_module_options_it_ships(tmp_path: Path, flink: FlinkHome) -> None:
    home = Home(path=tmp_path / "home")
    home.make()
    settings = Settings(stack=StackSettings(taskmanagers=2))
    programs = programs_of(home, settings, flink)
    assert [item.name for item in programs] == ["jobmanager", "taskmanager-1", "taskmanager-2"]
    assert "taskmanager.resource-id=taskmanager-2" in programs[2].command
    assert {"-Xmx1", "--add-opens=a/b=ALL", "x=taskmanager"} <= set(programs[1].command)
    programs[0].prepare()
    written = (home.path / "flink" / "conf" / "config.yaml").read_text()
    assert "env.java.opts.all: --add-opens=a/b=ALL\n" in written
    # Each process has a port for its metrics; one that has none, as in a stack of an earlier
    # release, starts without.
    assert "metrics.reporter.prometheus.port=9250" in programs[1].command
    assert not any("metrics.reporter" in word for word in programs[2].command)


def test_flink_without_module_options_is_refused(tmp_path: Path, flink: FlinkHome) -> None:
    (flink.home / "conf" / "config.yaml").write_text("rest:\n  port: 8081\n")
    home = Home(path=tmp_path / "home")
    home.make()
    with pytest.raises(StackError, match=r"no env\.java\.opts\.all"):
        programs_of(home, Settings(), flink)


def test_private_home_moves_only_the_data_of_another_user(tmp_path: Path) -> None:
    home = Home(path=tmp_path / "home")
    home.make()
    tmp_path.chmod(0o700)
    assert not reachable_by_all(home.path)
    assert data_folder(home, user=None) == home.path / "elasticsearch"
    moved = data_folder(home, user="nobody")
    assert moved == Path("/var/lib/fraudlake") / home.key / "elasticsearch"


def test_elasticsearch_is_configured_for_one_node(tmp_path: Path) -> None:
    server = tmp_path / "elasticsearch-9.5.0"
    (server / "config" / "jvm.options.d").mkdir(parents=True)
    (server / "config" / "roles.yml").write_text("")
    home = Home(path=tmp_path / "home")
    home.make()
    program = elasticsearch_program(home, server, JAVA, port=1, transport_port=2, heap_mb=512)
    with pytest.raises(StackError, match=r"lacks the modules transport-netty4, x-pack-core"):
        program.prepare()
    assert (program.user == "nobody") == (os.geteuid() == 0)
    assert program.environment["ES_JAVA_HOME"] == str(JAVA.home)


def test_division_of_memory_is_asked_once_for_each_configuration(
    tmp_path: Path, flink: FlinkHome
) -> None:
    counter = tmp_path / "asked"
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(
        f"#!/bin/sh\necho x >> {counter}\n"
        "echo 'BASH_JAVA_UTILS_EXEC_RESULT:-Xmx9 -Xms9'\n"
        "echo 'BASH_JAVA_UTILS_EXEC_RESULT:-D a=1 -D b=2'\n"
    )
    java.chmod(0o755)
    home = Java(home=tmp_path / "jdk", major=17, has_compiler=False)

    def ask(config: str) -> FlinkMemory:
        folder = tmp_path / "memory"
        return read_memory("taskmanager", config, flink=flink, java=home, memory_folder=folder)

    expected = FlinkMemory(jvm=("-Xmx9", "-Xms9"), options=("-D", "a=1", "-D", "b=2"))
    assert ask("one: 1") == ask("one: 1") == expected
    assert counter.read_text() == "x\n"
    assert ask("two: 2") == expected
    assert counter.read_text() == "x\nx\n"


def test_refusal_of_flink_is_quoted_with_the_setting_to_change(
    tmp_path: Path, flink: FlinkHome
) -> None:
    java = tmp_path / "jdk" / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(
        "#!/bin/sh\n"
        "echo 'org.apache.flink.IllegalConfigurationException: the sum exceeds 10m' >&2; exit 1\n"
    )
    java.chmod(0o755)
    home = Java(home=tmp_path / "jdk", major=17, has_compiler=False)
    with pytest.raises(StackError, match=r"the sum exceeds 10m\. .*_JOBMANAGER_MEMORY_MB"):
        read_memory("jobmanager", "", flink=flink, java=home, memory_folder=tmp_path / "m")


def test_other_lines_of_flink_are_no_answers() -> None:
    assert parse_answers("INFO a\nINFO BASH_JAVA_UTILS_EXEC_RESULT:x\n") == []
