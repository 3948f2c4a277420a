"""The parts beside the pipeline agree with it: Dagster and its database, catalog and store."""

from __future__ import annotations

import io
import itertools
import re
import sys
from contextlib import redirect_stdout
from importlib.metadata import entry_points
from urllib.parse import urlsplit

import pytest
import yaml
from compose_file import DAGSTER, LISTENS, ROOT, SERVICES, flink_options


def test_catalog_and_store_agree_with_each_other_and_with_the_settings() -> None:
    catalog, store = SERVICES["catalog"]["environment"], SERVICES["s3"]
    ours = SERVICES["lakehouse-sink"]["environment"]
    words = store["command"]

    assert words[words.index("--port") + 1] == f":{LISTENS['s3']}"
    assert catalog["REST_PORT"] == str(LISTENS["catalog"])
    assert catalog["CATALOG_S3_ENDPOINT"] == ours["FRAUDLAKE_LAKEHOUSE_S3_ENDPOINT"]
    for region in (catalog["AWS_REGION"], store["environment"]["VGW_REGION"]):
        assert region == ours["FRAUDLAKE_LAKEHOUSE_S3_REGION"]
    for key in (catalog["AWS_ACCESS_KEY_ID"], store["environment"]["ROOT_ACCESS_KEY"]):
        assert key == ours["FRAUDLAKE_LAKEHOUSE_S3_ACCESS_KEY_ID"]
    for secret in (catalog["AWS_SECRET_ACCESS_KEY"], store["environment"]["ROOT_SECRET_KEY"]):
        assert secret == ours["FRAUDLAKE_LAKEHOUSE_S3_SECRET_ACCESS_KEY"]
    # A folder of what is served is a bucket, and the tables lie in it.
    bucket = urlsplit(catalog["CATALOG_WAREHOUSE"]).netloc
    assert SERVICES["s3-bucket"]["entrypoint"][-1] == f"{words[-1]}/{bucket}"
    assert SERVICES["s3-bucket"]["volumes"] == store["volumes"] == [f"s3-data:{words[-1]}"]


def test_dagster_has_the_settings_of_the_local_one_on_the_database_of_the_file() -> None:
    local = yaml.safe_load((ROOT / "orchestration" / "dagster.yaml").read_text())
    here = yaml.safe_load((ROOT / "deploy" / "dagster" / "dagster.yaml").read_text())
    database = here.pop("storage")["postgres"]["postgres_db"]
    names = ("hostname", "port", "username", "password", "db_name")
    variables = {name: database[name]["env"] for name in names}

    assert here == local
    postgres = SERVICES["postgres"]["environment"]
    for name in DAGSTER:
        environ = SERVICES[name]["environment"]
        assert (environ[variables["hostname"]], environ[variables["port"]]) == ("postgres", "5432")
        assert environ[variables["username"]] == postgres["POSTGRES_USER"]
        assert environ[variables["password"]] == postgres["POSTGRES_PASSWORD"]
        assert environ[variables["db_name"]] == postgres["POSTGRES_DB"]
        assert (
            f"./deploy/dagster/dagster.yaml:{environ['DAGSTER_HOME']}/dagster.yaml:ro"
            in (SERVICES[name]["volumes"])
        )
    ready = SERVICES["postgres"]["healthcheck"]["test"]
    assert ready[1:] == [
        "pg_isready",
        "-h",
        "127.0.0.1",
        "-U",
        postgres["POSTGRES_USER"],
        "-d",
        postgres["POSTGRES_DB"],
    ]


def test_web_server_and_daemon_load_the_code_of_the_third_process() -> None:
    workspace = yaml.safe_load((ROOT / "deploy" / "dagster" / "workspace.yaml").read_text())
    local = yaml.safe_load((ROOT / "orchestration" / "workspace.yaml").read_text())
    (remote,) = [item["grpc_server"] for item in workspace["load_from"]]
    (module,) = [item["python_module"] for item in local["load_from"]]
    words = SERVICES[remote["host"]]["command"]

    assert remote["host"] == "dagster-code"
    assert remote["location_name"] == module["location_name"]
    assert words[words.index("-m") + 1] == module["module_name"]
    assert words[words.index("-p") + 1] == str(remote["port"])
    assert SERVICES["dagster-code"]["healthcheck"]["test"][-1] == str(remote["port"])
    for name in ("dagster", "dagster-daemon"):
        mounted = SERVICES[name]["command"][SERVICES[name]["command"].index("-w") + 1]
        assert f"./deploy/dagster/workspace.yaml:{mounted}:ro" in SERVICES[name]["volumes"]


def test_metrics_are_asked_for_where_flink_offers_them() -> None:
    config = yaml.safe_load((ROOT / "deploy" / "prometheus" / "compose.yml").read_text())
    (targets,) = [item["targets"] for item in config["scrape_configs"][0]["static_configs"]]
    offered = [
        f"{name}:{flink_options(name)['metrics.reporter.prometheus.port']}"
        for name in ("jobmanager", "taskmanager")
    ]

    assert targets == offered
    assert config["rule_files"] == ["alerts.yml"]


@pytest.mark.parametrize("name", DAGSTER)
def test_commands_of_dagster_exist(name: str) -> None:
    service = SERVICES[name]
    assert_understood(*service["command"])
    asked, *words = service["healthcheck"]["test"][1:]
    if asked != "python":
        assert_understood(asked, *words)


def assert_understood(program: str, *words: str) -> None:
    """The program of Dagster knows its options, as it says itself; nothing is run."""
    options = [word for word in words if word.startswith("-")]
    nouns = list(itertools.takewhile(lambda word: not word.startswith("-"), words))
    said = help_of(program, *nouns)
    for option in options:
        assert re.search(rf"(^|[\s,]){option}\b", said), f"{program} {nouns} has no {option}"


def help_of(program: str, *nouns: str) -> str:
    """By the installed program, in this process: one of its own takes seconds to start."""
    (script,) = entry_points(group="console_scripts", name=program)
    said = io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        redirect_stdout(said),
        pytest.raises(SystemExit) as end,
    ):
        patch.setattr(sys, "argv", [program, *nouns, "--help"])
        script.load()()
    assert end.value.code == 0
    return said.getvalue()
