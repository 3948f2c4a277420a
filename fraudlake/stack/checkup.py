"""What the machine must bring, looked at one by one; each gap with the command that fills it."""

from __future__ import annotations

import platform
import shutil
import sys
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import psutil

from fraudlake.stack.cache import cache_dir
from fraudlake.stack.flink_home import find_flink
from fraudlake.stack.flink_metrics import preferred_metrics_ports
from fraudlake.stack.home import Home
from fraudlake.stack.install_hints import install_command
from fraudlake.stack.jars import cached_jars
from fraudlake.stack.java import FOR_ELASTICSEARCH, FOR_FLINK, Need, find_java
from fraudlake.stack.ports import describe_holder, port_is_free
from fraudlake.stack.supervisor import Supervisor
from pipelines.errors import FraudlakeError, StackError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pipelines.settings import Settings

Level = Literal["ok", "note", "missing"]
# Jars and environments take 2 GB; logs, topics and tables grow from there.
NEEDED_DISK_GB = 5.0
# What all servers, the job and the sinks take at most with the default settings.
NEEDED_MEMORY_GB = 5.0
MODULES = (
    "confluent_kafka",
    "pyiceberg",
    "psycopg",
    "duckdb",
    "elasticsearch",
    "dagster",
    "supervisor",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line of the checkup. ``note``: it will work, and there is something to know."""

    what: str
    level: Level
    detail: str
    remedy: str = ""
    """A command to type, or empty."""

    def as_json(self) -> dict[str, str]:
        """For a machine to read."""
        return asdict(self)


def examine(settings: Settings, environ: Mapping[str, str]) -> list[Finding]:
    """Every check, in the order in which things are installed; changes nothing."""
    return [
        _python(),
        _main_environment(),
        _java(FOR_FLINK, environ),
        _java(FOR_ELASTICSEARCH, environ),
        _flink(settings),
        # With the jars in the cache it goes on without Maven.
        _tool("mvn", "fetches the jars", environ, needed=cached_jars(environ) is None),
        _tool("make", "runs the targets of the Makefile", environ, needed=False),
        _jars(environ),
        _disk(settings, environ),
        _memory(),
        _ports(settings),
        *_lakehouse(settings),
        *_alert_index(settings),
    ]


def _python() -> Finding:
    version = platform.python_version()
    if version.startswith("3.11."):
        return Finding(what="Python 3.11", level="ok", detail=f"{version} in {sys.prefix}")
    return Finding(
        what="Python 3.11",
        level="missing",
        detail=f"this is {version}, and apache-flink 2.3 needs 3.11",
        remedy=install_command("python"),
    )


def _main_environment() -> Finding:
    import importlib.util

    missing = [name for name in MODULES if importlib.util.find_spec(name) is None]
    if not missing:
        return Finding(what="main environment", level="ok", detail=sys.prefix)
    return Finding(
        what="main environment",
        level="missing",
        detail=f"{sys.prefix} lacks {', '.join(missing)}",
        remedy="make setup",
    )


def _java(need: Need, environ: Mapping[str, str]) -> Finding:
    what = f"Java for {need.what}"
    try:
        java = find_java(need, environ)
    except StackError as error:
        return Finding(
            what=what,
            level="missing",
            detail=str(error).partition(". Install")[0],
            remedy=_java_remedy(need, environ),
        )
    compiler = " with javac" if java.has_compiler else ""
    return Finding(what=what, level="ok", detail=f"{java.major}{compiler} in {java.home}")


def _java_remedy(need: Need, environ: Mapping[str, str]) -> str:
    is_named = environ.get(need.variable, "") != ""
    return f"unset {need.variable}" if is_named else install_command(need.variable)


def _flink(settings: Settings) -> Finding:
    try:
        flink = find_flink(settings.flink.python)
    except StackError as error:
        return Finding(
            what="Flink's environment", level="missing", detail=str(error), remedy="make setup"
        )
    return Finding(
        what="Flink's environment",
        level="ok",
        detail=f"apache-flink {flink.version} for {flink.python}",
    )


def _tool(name: str, purpose: str, environ: Mapping[str, str], *, needed: bool) -> Finding:
    found = shutil.which(name, path=environ.get("PATH"))
    if found is not None:
        return Finding(what=name, level="ok", detail=found)
    return Finding(
        what=name,
        level="missing" if needed else "note",
        detail=f"not on the PATH; it {purpose}",
        remedy=install_command(name),
    )


def _jars(environ: Mapping[str, str]) -> Finding:
    jars = cached_jars(environ)
    if jars is not None:
        return Finding(what="jars", level="ok", detail=str(jars.repository.parent))
    return Finding(
        what="jars",
        level="missing",
        detail=f"not in {cache_dir(environ)} yet: about 160 MB from Maven Central",
        remedy="fraudlake jars fetch",
    )


def _disk(settings: Settings, environ: Mapping[str, str]) -> Finding:
    for folder in (settings.stack.home, cache_dir(environ)):
        free = shutil.disk_usage(_existing(folder)).free / 1e9
        if free < NEEDED_DISK_GB:
            return Finding(
                what="disk",
                level="missing",
                detail=f"{free:.1f} GB free for {folder}, {NEEDED_DISK_GB:.0f} GB are needed; "
                "free some, or move it with FRAUDLAKE_STACK_HOME or FRAUDLAKE_CACHE",
                remedy=f"df -h {_existing(folder)}",
            )
    free = shutil.disk_usage(_existing(settings.stack.home)).free / 1e9
    return Finding(what="disk", level="ok", detail=f"{free:.0f} GB free")


def _existing(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if path.exists())


def _memory() -> Finding:
    memory = psutil.virtual_memory()
    available = memory.available / 1e9
    detail = f"{available:.1f} of {memory.total / 1e9:.1f} GB available"
    if memory.total / 1e9 < NEEDED_MEMORY_GB:
        return Finding(
            what="memory",
            level="missing",
            detail=f"{detail}, the stack takes up to {NEEDED_MEMORY_GB:.0f} GB; use servers that "
            "run elsewhere (docs/install.md), or give them less",
            remedy="export FRAUDLAKE_STACK_TASKMANAGER_MEMORY_MB=1200 "
            "FRAUDLAKE_STACK_JOBMANAGER_MEMORY_MB=800",
        )
    if available < NEEDED_MEMORY_GB:
        note = f"{detail}, the stack takes up to {NEEDED_MEMORY_GB:.0f} GB: close something large"
        return Finding(what="memory", level="note", detail=note)
    return Finding(what="memory", level="ok", detail=detail)


def _ports(settings: Settings) -> Finding:
    stack = settings.stack
    if Supervisor(Home(path=stack.home.resolve())).is_running():
        return Finding(what="ports", level="ok", detail="the stack is up")
    ports = {
        "kafka_port": stack.kafka_port,
        "kafka_controller_port": stack.kafka_controller_port,
        "flink_port": stack.flink_port,
        "flink_rpc_port": stack.flink_rpc_port,
        "elasticsearch_port": stack.elasticsearch_port,
        "elasticsearch_transport_port": stack.elasticsearch_transport_port,
        "dagster_port": stack.dagster_port,
        **preferred_metrics_ports(stack),
    }
    taken = [
        f"{port} by {describe_holder(port)}" for port in ports.values() if not port_is_free(port)
    ]
    if not taken:
        return Finding(what="ports", level="ok", detail="all preferred ports are free")
    detail = f"taken: {', '.join(taken)}"
    if stack.strict_ports:
        return Finding(
            what="ports",
            level="missing",
            detail=detail,
            remedy="export FRAUDLAKE_STACK_STRICT_PORTS=false",
        )
    return Finding(what="ports", level="note", detail=f"{detail}; `fraudlake up` takes free ones")


def _lakehouse(settings: Settings) -> list[Finding]:
    """A catalog or a store of one's own; the default ones are made when they are needed."""
    if settings.lakehouse.catalog_uri == "" and settings.lakehouse.warehouse == "":
        return []
    from sinks.lakehouse.reach import describe_reach

    try:
        detail = describe_reach(settings)
    except FraudlakeError as error:
        return [Finding(what="lakehouse", level="missing", detail=str(error))]
    return [Finding(what="lakehouse", level="ok", detail=detail)]


def _alert_index(settings: Settings) -> list[Finding]:
    """An Elasticsearch of one's own, asked with one's own user and certificate."""
    if not settings.elasticsearch.external:
        return []
    from sinks.alerts.reach import describe_reach

    try:
        detail = describe_reach(settings)
    except FraudlakeError as error:
        return [Finding(what="Elasticsearch", level="missing", detail=str(error))]
    return [Finding(what="Elasticsearch", level="ok", detail=detail)]
