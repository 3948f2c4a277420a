"""The compose file and the images agree with each other, with the settings and with the code.

Nothing is run here: what only a container engine could show is said in docs/compose.md.
"""

from __future__ import annotations

import graphlib
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from compose_file import (
    COMPOSE,
    DAGSTER,
    LISTENS,
    OURS,
    ROOT,
    SERVICES,
    fill_in,
    flink_options,
    mounts,
    split,
)

from fraudlake.cli import app
from fraudlake.stack.cache import CACHE_VARIABLE
from fraudlake.stack.elasticsearch import render_yaml
from fraudlake.stack.kafka import TRANSACTION_VERSION, render_properties
from fraudlake.stack.lock import read_lock
from fraudlake.stack.project import LOCK_FILE
from pipelines.rules import find_ruleset, shipped_rulesets
from pipelines.settings import Settings, StackSettings

DOCKERFILES = sorted((ROOT / "deploy").glob("*.Dockerfile"))
ENDS = {"kafka-features", "job", "s3-bucket"}
# Without a door, and without a word of how they are; they end when they cannot work.
WORKERS = {"job-keeper", "alerts-sink", "lakehouse-sink", "cli"}
SERVERS = sorted(SERVICES.keys() - ENDS - WORKERS)
BOOTSTRAP = "FRAUDLAKE_KAFKA_BOOTSTRAP_SERVERS"
SCHEMA = ("--builtin-schema", "vendor.compose-spec")


def test_file_keeps_the_compose_specification() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", *SCHEMA, str(COMPOSE)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", SERVICES)
def test_image_is_pinned_to_a_version(name: str) -> None:
    service = SERVICES[name]

    assert re.search(r":v?\d+\.\d+(\.\d+)?(-bookworm)?$", service["image"]), service["image"]
    if "build" in service:
        assert ROOT / service["build"]["dockerfile"] in DOCKERFILES


@pytest.mark.parametrize("name", SERVICES)
def test_ports_are_published_on_the_loopback_alone(name: str) -> None:
    for port in SERVICES[name].get("ports", []):
        assert re.fullmatch(r"127\.0\.0\.1:(\d+):\1", port), port


def test_published_ports_are_those_of_the_local_stack_so_that_the_defaults_fit() -> None:
    published = {
        name: int(port.split(":")[1])
        for name, service in SERVICES.items()
        for port in service.get("ports", [])
    }
    stack = StackSettings()

    assert published == {
        "kafka": stack.kafka_port,
        "jobmanager": stack.flink_port,
        "elasticsearch": stack.elasticsearch_port,
        "kibana": 5601,
        "dagster": stack.dagster_port,
        "s3": LISTENS["s3"],
        "catalog": LISTENS["catalog"],
        "prometheus": 9090,
    }


@pytest.mark.parametrize("name", OURS)
def test_settings_of_our_services_are_known_and_point_at_servers_of_the_file(name: str) -> None:
    environ = fill_in(SERVICES[name]["environment"])
    ours = {key: value for key, value in environ.items() if key.startswith("FRAUDLAKE_")}

    # Raises for a variable or a value that pipelines.settings does not know.
    settings = Settings.from_env(ours, cwd=ROOT / "tests" / "deploy")

    assert settings.stack.home == Path("/var/lib/fraudlake")
    assert settings.kafka.bootstrap_servers == f"kafka:{LISTENS['kafka']}"
    assert split(settings.flink.rest_url) == ("jobmanager", LISTENS["jobmanager"])
    # A link is for a browser outside of the containers.
    [port] = [one.split(":")[1] for one in SERVICES["jobmanager"]["ports"]]
    assert settings.flink.page_of("a1") == f"http://127.0.0.1:{port}/#/job/a1"
    assert split(settings.elasticsearch.url) == ("elasticsearch", LISTENS["elasticsearch"])
    assert split(settings.kibana.url) == ("kibana", 5601)
    assert settings.kafka.external
    assert settings.flink.external
    assert settings.elasticsearch.external
    assert settings.stack.sinks_external
    assert split(settings.lakehouse.catalog_uri) == ("catalog", LISTENS["catalog"])
    assert split(settings.lakehouse.s3_endpoint) == ("s3", LISTENS["s3"])
    slots = int(flink_options("taskmanager")["taskmanager.numberOfTaskSlots"])
    assert settings.flink.parallelism <= slots


def test_servers_listen_where_the_settings_point() -> None:
    kafka = SERVICES["kafka"]["environment"]
    jobmanager = flink_options("jobmanager")

    assert "PLAINTEXT://:19092" in kafka["KAFKA_LISTENERS"].split(",")
    assert "PLAINTEXT://kafka:19092" in kafka["KAFKA_ADVERTISED_LISTENERS"].split(",")
    assert "HOST://127.0.0.1:9092" in kafka["KAFKA_ADVERTISED_LISTENERS"].split(",")
    assert jobmanager["rest.port"] == "8081"
    assert jobmanager["rest.bind-address"] == "0.0.0.0"
    for name in ("jobmanager", "taskmanager"):
        assert flink_options(name)["metrics.reporter.prometheus.port"] == "9249"
        assert flink_options(name)["jobmanager.rpc.address"] == SERVICES["jobmanager"]["hostname"]
    assert flink_options("taskmanager")["taskmanager.host"] == SERVICES["taskmanager"]["hostname"]
    assert split(SERVICES["kibana"]["environment"]["ELASTICSEARCH_HOSTS"])[0] == "elasticsearch"


@pytest.mark.parametrize("name", [name for name in OURS if name not in DAGSTER])
def test_commands_exist_in_our_command_line(name: str) -> None:
    service = SERVICES[name]
    words = [*service.get("entrypoint", []), *service["command"]]
    program, *rest = words
    assert program == "fraudlake"
    assert_understood(rest)


@pytest.mark.parametrize("name", SERVERS)
def test_every_server_says_whether_it_is_healthy(name: str) -> None:
    check = SERVICES[name]["healthcheck"]

    assert check["test"][0] in {"CMD", "CMD-SHELL"}
    assert check["retries"] * seconds(check["interval"]) >= 90


@pytest.mark.parametrize("name", SERVICES)
def test_nothing_waits_for_what_cannot_come(name: str) -> None:
    """Health needs a check, and an end needs a command that ends."""
    for other, wish in SERVICES[name].get("depends_on", {}).items():
        if wish["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other], other
        else:
            assert wish["condition"] == "service_completed_successfully"
            assert SERVICES[other]["restart"].startswith("on-failure"), other


def test_services_can_be_started_one_after_the_other() -> None:
    waits = {name: service.get("depends_on", {}).keys() for name, service in SERVICES.items()}

    # Raises CycleError where two wait for each other.
    assert {*graphlib.TopologicalSorter(waits).static_order()} == SERVICES.keys()


def test_the_job_is_kept_after_it_was_submitted_once() -> None:
    keeper = SERVICES["job-keeper"]
    assert keeper["command"] == ["fraudlake", "job", "keep"]
    assert keeper["restart"] == "unless-stopped"
    assert list(keeper["depends_on"]) == ["job"]


@pytest.mark.parametrize("name", SERVICES)
def test_memory_and_processors_are_limited_and_heaps_fit(name: str) -> None:
    service = SERVICES[name]
    limits = service["deploy"]["resources"]["limits"]
    environ = service.get("environment", {})
    heaps = re.findall(r"-Xmx(\d+[mg])", str(environ.get("KAFKA_HEAP_OPTS", "")))
    heaps += re.findall(r"-Xmx(\d+[mg])", str(environ.get("ES_JAVA_OPTS", "")))
    heaps += [
        value for key, value in flink_options(name).items() if key.endswith("memory.process.size")
    ]

    assert float(limits["cpus"]) > 0
    for heap in heaps:
        assert megabytes(heap) < megabytes(limits["memory"])


def test_named_volumes_are_those_that_are_used_and_mounted_files_exist() -> None:
    declared = set(yaml.safe_load(COMPOSE.read_text())["volumes"])
    used = {source for name in SERVICES for source in mounts(name).values()}
    files = {source for source in used if source.startswith("./")}

    assert declared == used - files
    for file in files:
        assert (ROOT / file).exists(), file


@pytest.mark.parametrize("name", OURS)
def test_our_containers_read_the_rule_files_beside_the_compose_file(name: str) -> None:
    """There was no way to bring a rule file into them."""
    [rules] = [one for one in SERVICES[name]["volumes"] if isinstance(one, dict)]
    image = (ROOT / "deploy" / "fraudlake.Dockerfile").read_text()
    directory = re.findall(r"^WORKDIR (\S+)", image, re.M)[-1]

    assert "working_dir" not in SERVICES[name]
    assert rules["target"] == f"{directory}/rules"
    assert (rules["type"], rules["read_only"]) == ("bind", True)
    assert rules["bind"] == {"create_host_path": False}


def test_a_rule_file_has_the_same_name_here_and_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/compose.md and rules/README.md call it."""
    (tmp_path / "rules").mkdir()
    mine = tmp_path / "rules" / "mine.toml"
    mine.write_text(shipped_rulesets()["speed"].read_text())
    monkeypatch.chdir(tmp_path)
    settings = Settings.from_env({"FRAUDLAKE_FLINK_RULESET": "rules/mine.toml"}, cwd=tmp_path)

    assert find_ruleset(settings.flink.ruleset).samefile(mine)


def test_folder_of_rule_files_can_be_another() -> None:
    [source] = {mounts(name)["/opt/fraudlake/rules"] for name in OURS}
    assert source == "./rules"
    [rules] = [one for one in SERVICES["job"]["volumes"] if isinstance(one, dict)]
    assert rules["source"] == "${FRAUDLAKE_RULES_FOLDER:-./rules}"
    # Said outside of the containers, it must not be taken for a setting.
    Settings.from_env({"FRAUDLAKE_RULES_FOLDER": "/srv/rules"}, cwd=ROOT / "tests" / "deploy")


def test_what_flink_and_the_command_line_share_lies_in_one_volume_at_one_place() -> None:
    # The job's checkpoints are named by path, so the path must be the same everywhere.
    for name in ("jobmanager", "taskmanager", *OURS):
        assert mounts(name)["/var/lib/fraudlake"] == "fraudlake-data", name


def test_versions_are_those_of_the_local_stack() -> None:
    locked = {artifact.name: artifact.version for artifact in read_lock(LOCK_FILE)}
    pinned = dict(
        line.split("==") for line in (ROOT / "constraints" / "flink.txt").read_text().split()
    )
    flink = (ROOT / "deploy" / "flink.Dockerfile").read_text()

    assert SERVICES["kafka"]["image"] == f"apache/kafka:{locked['kafka_2.13']}"
    for name in ("elasticsearch", "kibana"):
        assert SERVICES[name]["image"].endswith(f"/{name}:{locked['elasticsearch']}")
    for name in ("jobmanager", "taskmanager"):
        assert SERVICES[name]["image"].endswith(f":{pinned['apache-flink']}")
    assert f"apache-flink=={pinned['apache-flink']} " in flink


def test_broker_has_the_settings_of_the_local_one() -> None:
    environ = SERVICES["kafka"]["environment"]
    lines = render_properties(Path("/data"), port=9092, controller_port=9093).splitlines()
    local = dict(line.split("=", 1) for line in lines)
    for name in (
        "auto.create.topics.enable",
        "offsets.topic.replication.factor",
        "transaction.state.log.replication.factor",
        "transaction.state.log.min.isr",
        "transaction.max.timeout.ms",
        "group.initial.rebalance.delay.ms",
    ):
        assert environ[f"KAFKA_{name.upper().replace('.', '_')}"] == local[name]


def test_broker_gets_the_transaction_version_of_the_local_one_before_the_job_starts() -> None:
    service = SERVICES["kafka-features"]
    assert service["image"] == SERVICES["kafka"]["image"]
    assert service["command"] == [
        "/opt/kafka/bin/kafka-features.sh",
        "--bootstrap-server",
        SERVICES["job"]["environment"][BOOTSTRAP],
        "downgrade",
        "--feature",
        f"transaction.version={TRANSACTION_VERSION}",
    ]
    # Dagster submits it, too: where no job ever was, its sensor first_look does.
    for submitter in ("job", "dagster-code"):
        awaited = SERVICES[submitter]["depends_on"]
        assert awaited["kafka-features"] == {"condition": "service_completed_successfully"}
        assert awaited["taskmanager"] == {"condition": "service_healthy"}


def test_index_has_the_settings_of_the_local_one() -> None:
    local = yaml.safe_load(render_yaml(Path("/data"), port=9200, transport_port=9300))
    environ = SERVICES["elasticsearch"]["environment"]
    for name in (
        "discovery.type",
        "xpack.security.enabled",
        "node.store.allow_mmap",
        "cluster.routing.allocation.disk.threshold_enabled",
    ):
        assert environ[name] == str(local[name]).lower()


@pytest.mark.parametrize("path", DOCKERFILES, ids=lambda path: path.name)
def test_dockerfile_is_pinned_unprivileged_and_copies_what_exists(path: Path) -> None:
    text = path.read_text().replace("\\\n", " ")
    ignored = (ROOT / ".dockerignore").read_text().split()

    for base in re.findall(r"^FROM (\S+)", text, re.M):
        assert re.search(r":\d+\.\d+\.\d+-", base), base
    assert re.findall(r"^USER (\S+)", text, re.M)[-1] == "fraudlake"
    for words in re.findall(r"^COPY (?!.*--from)(.+)$", text, re.M):
        *sources, _target = [word for word in words.split() if not word.startswith("--")]
        for source in sources:
            assert (ROOT / source).exists(), source
            assert f"!{source.split('/')[0]}" in ignored, source


def test_commands_of_the_image_exist_in_our_command_line() -> None:
    text = (ROOT / "deploy" / "fraudlake.Dockerfile").read_text().replace("\\\n", " ")
    calls = re.findall(r"bin/fraudlake ([a-z ]+?)(?: &&|$)", text, re.M)

    assert calls
    for call in calls:
        assert_understood(call.split())
    assert set(re.findall(r"FRAUDLAKE_[A-Z_]+", text)) == {CACHE_VARIABLE}


def assert_understood(words: list[str]) -> None:
    """The command line knows the command and its options; nothing is run."""
    command: Any = typer.main.get_command(app)
    if words == ["--help"]:
        return
    context = command.make_context("fraudlake", list(words), resilient_parsing=True)
    while hasattr(command, "commands"):
        name, *words = words
        assert name in command.commands, f"there is no command {name}"
        command = command.commands[name]
    command.make_context(name, words, parent=context)


def seconds(text: str) -> int:
    return int(text.removesuffix("s"))


def megabytes(text: str) -> int:
    return int(text[:-1]) * (1024 if text.endswith("g") else 1)
