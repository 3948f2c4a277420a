"""One stack of real servers for the whole run, and a set of topics of its own for each test."""

from __future__ import annotations

import copy
import dataclasses
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from flink_slots import give_slots_back

from fraudlake.stack.lifecycle import start_stack
from fraudlake.stack.ports import choose_ports
from fraudlake.stack.purge import purge_stack
from fraudlake.stack.shutdown import stop_stack
from pipelines.kafka import create_topics
from pipelines.settings import Settings
from sinks.alerts import template
from sinks.alerts.client import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from elasticsearch import Elasticsearch

# Any free one for each, so that a stack of one's own may run beside the tests.
PORTS = ("kafka_port", "kafka_controller_port", "flink_port", "flink_rpc_port")
PORTS += ("elasticsearch_port", "elasticsearch_transport_port", "dagster_port")
PORTS += ("jobmanager_metrics_port", "taskmanager_metrics_port")


@pytest.fixture(scope="session")
def stack() -> Iterator[Settings]:
    """Settings that point at running servers: those started here, or the external ones."""
    settings = Settings.from_env()
    if settings.kafka.external:
        yield settings
        return
    home = Path(tempfile.mkdtemp(prefix="fraudlake-live-"))
    home.chmod(0o755)  # Elasticsearch may run as another user
    ports = choose_ports(dict.fromkeys(PORTS, 0), strict=False)
    # Four slots, so that a test can spread a job.
    local = dataclasses.replace(settings.stack, home=home, taskmanager_slots=4, **ports)
    settings = dataclasses.replace(settings, stack=local)
    try:
        yield start_stack(settings, servers_only=True)
    finally:
        stop_stack(settings)
        purge_stack(settings)


@pytest.fixture
def settings(stack: Settings) -> Iterator[Settings]:
    """The same servers, with fresh topics, index and namespace for this test alone."""
    name = f"t{secrets.token_hex(4)}"
    kafka = dataclasses.replace(stack.kafka, topic_prefix=f"{name}-")
    create_topics(kafka, kafka.topics().all())
    yield dataclasses.replace(
        stack,
        kafka=kafka,
        flink=dataclasses.replace(stack.flink, job_name=name),
        elasticsearch=dataclasses.replace(stack.elasticsearch, index=f"{name}-alerts"),
        lakehouse=dataclasses.replace(stack.lakehouse, namespace=name),
    )
    if not stack.flink.external:
        give_slots_back(stack)


@pytest.fixture
def index(settings: Settings) -> Iterator[Elasticsearch]:
    """A client for the index; what the test wrote is removed afterwards."""
    with connect(settings.elasticsearch) as client:
        yield client
        names = f"{settings.elasticsearch.index}-*"
        for name in client.indices.get(index=names, expand_wildcards="all"):
            client.indices.delete(index=name)
        client.options(ignore_status=404).indices.delete_index_template(
            name=settings.elasticsearch.index
        )


@pytest.fixture
def change_template(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Make another release of the template: of its mapping by path, or of its settings."""
    parts = template.read_parts()

    def change(fields: dict[str, Any] | None = None, **settings: Any) -> None:
        changed = copy.deepcopy(parts)
        changed["settings"] |= settings
        for path, definition in (fields or {}).items():
            *objects, name = path.split(".")
            inside = changed["mappings"]["properties"]
            for step in objects:
                inside = inside.setdefault(step, {"properties": {}})["properties"]
            inside[name] = definition
        monkeypatch.setattr(template, "read_parts", lambda: changed)

    return change
