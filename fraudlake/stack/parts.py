"""The parts of a stack: which there are, in which order, and where each is found."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING

from fraudlake.stack.elasticsearch import elasticsearch_program
from fraudlake.stack.flink import flink_programs, taskmanager_names
from fraudlake.stack.flink_home import find_flink
from fraudlake.stack.flink_metrics import metrics_urls, preferred_metrics_ports
from fraudlake.stack.jars import fetch_jars
from fraudlake.stack.java import FOR_ELASTICSEARCH, FOR_FLINK, find_java
from fraudlake.stack.kafka import TRANSACTION_LIMIT_S, kafka_program
from fraudlake.stack.kernel import build_kernel
from fraudlake.stack.ports import LOOPBACK, choose_ports
from fraudlake.stack.workers import (
    ALERTS_SINK,
    DAGSTER,
    JOB_KEEPER,
    LAKEHOUSE_SINK,
    dagster_program,
    keeper_program,
    sink_programs,
)
from pipelines.errors import SettingsError
from pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fraudlake.stack.home import Endpoints, Home
    from fraudlake.stack.program import Program

JOB = "job"
SINKS = (LAKEHOUSE_SINK, ALERTS_SINK)


def local_servers(settings: Settings) -> list[str]:
    """The servers to run here: those that are not marked external."""
    parts = [] if settings.kafka.external else ["kafka"]
    parts += [] if settings.elasticsearch.external else ["elasticsearch"]
    return parts + ([] if settings.flink.external else ["jobmanager", *taskmanager_names(settings)])


def choose_endpoints(settings: Settings) -> Endpoints:
    """Ports for the local servers, as the content of ``endpoints.toml``.

    With ``strict_ports`` a preferred port that is taken is a StackError.
    """
    stack = settings.stack
    wanted = {"dagster_port": stack.dagster_port}
    if not settings.kafka.external:
        wanted |= {"kafka_port": stack.kafka_port}
        wanted |= {"kafka_controller_port": stack.kafka_controller_port}
    if not settings.flink.external:
        wanted |= {"flink_port": stack.flink_port, "flink_rpc_port": stack.flink_rpc_port}
        wanted |= preferred_metrics_ports(stack)
    if not settings.elasticsearch.external:
        wanted |= {"elasticsearch_port": stack.elasticsearch_port}
        wanted |= {"elasticsearch_transport_port": stack.elasticsearch_transport_port}
    ports = choose_ports(wanted, strict=stack.strict_ports)
    endpoints: Endpoints = {
        "dagster": {"url": f"http://{LOOPBACK}:{ports['dagster_port']}"},
        "ports": {name: str(port) for name, port in ports.items()},
    }
    if not settings.kafka.external:
        endpoints["kafka"] = {
            "bootstrap_servers": f"{LOOPBACK}:{ports['kafka_port']}",
            "transaction_timeout_s": str(TRANSACTION_LIMIT_S),
        }
    if not settings.flink.external:
        endpoints["flink"] = {"rest_url": f"http://{LOOPBACK}:{ports['flink_port']}"}
        processes = ["jobmanager", *taskmanager_names(settings)]
        endpoints["metrics"] = dict(metrics_urls(ports, processes))
    if not settings.elasticsearch.external:
        url = f"http://{LOOPBACK}:{ports['elasticsearch_port']}"
        endpoints["elasticsearch"] = {"url": url}
    return endpoints


def apply_endpoints(settings: Settings, endpoints: Endpoints) -> Settings:
    """The settings with the addresses of the local servers."""
    home = Path(settings.stack.home).resolve()
    settings = dataclasses.replace(settings, stack=dataclasses.replace(settings.stack, home=home))
    kafka, flink, alerts = settings.kafka, settings.flink, settings.elasticsearch
    if "kafka" in endpoints:
        # A stack that an earlier release started wrote no time limit.
        limit = endpoints["kafka"].get("transaction_timeout_s", str(kafka.transaction_timeout_s))
        kafka = dataclasses.replace(
            kafka,
            bootstrap_servers=str(endpoints["kafka"]["bootstrap_servers"]),
            transaction_timeout_s=int(str(limit)),
        )
    if "flink" in endpoints:
        flink = dataclasses.replace(flink, rest_url=str(endpoints["flink"]["rest_url"]))
    if "elasticsearch" in endpoints:
        alerts = dataclasses.replace(alerts, url=str(endpoints["elasticsearch"]["url"]))
    return dataclasses.replace(settings, kafka=kafka, flink=flink, elasticsearch=alerts)


def check_children_agree(settings: Settings, environ: Mapping[str, str], directory: Path) -> None:
    """SettingsError if the sinks would look elsewhere than at the servers started here.

    They read their settings themselves, and a file or a variable wins over ``endpoints.toml``.
    """
    home = {"FRAUDLAKE_STACK_HOME": str(settings.stack.home)}
    theirs = Settings.from_env({**environ, **home}, cwd=directory)
    for name, ours, seen in (
        (
            "kafka.bootstrap_servers",
            settings.kafka.bootstrap_servers,
            theirs.kafka.bootstrap_servers,
        ),
        ("flink.rest_url", settings.flink.rest_url, theirs.flink.rest_url),
        ("elasticsearch.url", settings.elasticsearch.url, theirs.elasticsearch.url),
    ):
        if ours != seen:
            section = name.partition(".")[0]
            msg = (
                f"{name} is set to {seen}, and `fraudlake up` started a server at {ours}. "
                f"To use yours, set FRAUDLAKE_{section.upper()}_EXTERNAL=true; to use the local "
                f"one, take {name} out of fraudlake.toml and the environment"
            )
            raise SettingsError(msg)


def wanted_workers(settings: Settings, *, ui: bool) -> list[str]:
    """The Python parts to start."""
    sinks = () if settings.stack.sinks_external else SINKS
    return [*sinks, JOB_KEEPER, *([DAGSTER] if ui else [])]


def plan_programs(
    home: Home,
    settings: Settings,
    ports: Mapping[str, int],
    *,
    directory: Path,
    environ: Mapping[str, str] = os.environ,
) -> list[Program]:
    """Everything supervisord may run, the slowest to start first.

    Finds Java, Flink and the jars (and fetches those), so it fails before anything is started.
    """
    programs: list[Program] = []
    stack = settings.stack
    if not settings.elasticsearch.external:
        programs.append(
            elasticsearch_program(
                home,
                fetch_jars(environ).elasticsearch,
                find_java(FOR_ELASTICSEARCH, environ),
                port=ports["elasticsearch_port"],
                transport_port=ports["elasticsearch_transport_port"],
                heap_mb=stack.elasticsearch_heap_mb,
            )
        )
    if not settings.flink.external:
        flink = find_flink(settings.flink.python)
        programs += flink_programs(
            home,
            settings,
            flink,
            find_java(FOR_FLINK, environ),
            port=ports["flink_port"],
            rpc_port=ports["flink_rpc_port"],
            kernel=build_kernel(flink, environ=environ),
            metrics_ports=ports,
        )
    if not settings.kafka.external:
        programs.append(
            kafka_program(
                home,
                fetch_jars(environ).kafka,
                find_java(FOR_FLINK, environ),
                port=ports["kafka_port"],
                controller_port=ports["kafka_controller_port"],
                heap_mb=stack.kafka_heap_mb,
            )
        )
    programs += [*sink_programs(home, directory), keeper_program(home, directory)]
    return [*programs, dagster_program(home, directory, port=ports["dagster_port"])]


def endpoint_of(part: str, settings: Settings, *, dagster_url: str) -> str:
    """Where a part is reached; empty for one without a door."""
    if part.startswith("taskmanager"):
        return ""
    return {
        "kafka": settings.kafka.bootstrap_servers,
        "jobmanager": settings.flink.rest_url,
        "flink": settings.flink.rest_url,
        "elasticsearch": settings.elasticsearch.url,
        DAGSTER: dagster_url,
    }.get(part, "")
