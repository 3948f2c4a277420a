"""The alert index: one Elasticsearch node, from the distribution made for integration tests."""

from __future__ import annotations

import os
import pwd
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from fraudlake.stack.ports import LOOPBACK
from fraudlake.stack.program import Program
from pipelines.errors import StackError

if TYPE_CHECKING:
    from fraudlake.stack.home import Home
    from fraudlake.stack.java import Java

# Elasticsearch refuses to run as root; a root stack runs it as this user.
UNPRIVILEGED = "nobody"
SHARED_DATA = Path("/var/lib/fraudlake")
# What the distribution must bring; Elastic may change it in any minor version.
NEEDED_MODULES = ("transport-netty4", "x-pack-core")

_LOG4J = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = [%d{ISO8601}][%-5p][%-25c{1.}] %m%consoleException%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
"""


def elasticsearch_program(
    home: Home, server: Path, java: Java, *, port: int, transport_port: int, heap_mb: int
) -> Program:
    """The node on ``port``, with its data in ``<home>/elasticsearch``."""
    user = UNPRIVILEGED if os.geteuid() == 0 else None
    link = home.path / "elasticsearch"
    folder = data_folder(home, user=user)

    def prepare() -> None:
        _check_modules(server)
        if user is not None:
            _check_access(server, java)
        _make(link, folder)
        _write_config(folder, server, port=port, transport_port=transport_port, heap_mb=heap_mb)
        if user is not None:
            _give(folder, user)

    return Program(
        name="elasticsearch",
        command=("bash", str(server / "bin" / "elasticsearch")),
        priority=20,
        environment={
            "ES_JAVA_HOME": str(java.home),
            "ES_PATH_CONF": str(folder / "conf"),
            "ES_TMPDIR": str(folder / "tmp"),
            "ES_JAVA_OPTS": "",
            "HOME": str(folder),
        },
        directory=folder,
        stop_seconds=30,
        user=user,
        prepare=prepare,
    )


def data_folder(home: Home, *, user: str | None) -> Path:
    """Where the node lives: in the home, or outside if ``user`` cannot get into the home."""
    inside = home.path / "elasticsearch"
    if user is None or reachable_by_all(home.path):
        return inside
    return SHARED_DATA / home.key / "elasticsearch"


def reachable_by_all(folder: Path) -> bool:
    """Whether every folder on the way may be entered by anyone."""
    return all(path.stat().st_mode & 0o001 for path in (folder, *folder.parents) if path.exists())


def render_yaml(folder: Path, *, port: int, transport_port: int) -> str:
    """``elasticsearch.yml`` of a single node on the loopback, without security."""
    settings = {
        "cluster.name": "fraudlake",
        "node.name": "fraudlake",
        "discovery.type": "single-node",
        "network.host": LOOPBACK,
        "http.port": port,
        "transport.port": transport_port,
        "xpack.security.enabled": "false",
        # The limit on memory maps is low on many machines.
        "node.store.allow_mmap": "false",
        # A laptop's disk may be nearly full; the node would refuse to write.
        "cluster.routing.allocation.disk.threshold_enabled": "false",
        "path.data": f'"{folder / "data"}"',
        "path.logs": f'"{folder / "logs"}"',
    }
    return "".join(f"{name}: {value}\n" for name, value in settings.items())


def render_jvm_options(folder: Path, *, heap_mb: int) -> str:
    """``jvm.options``: the shipped ones, less the vector module and the log of the collector."""
    options = (
        f"-Xms{heap_mb}m",
        f"-Xmx{heap_mb}m",
        "-XX:+UseG1GC",
        "-Djava.io.tmpdir=${ES_TMPDIR}",
        "23-:-XX:CompileCommand=dontinline,java/lang/invoke/MethodHandle.setAsTypeCache",
        "23-:-XX:CompileCommand=dontinline,java/lang/invoke/MethodHandle.asTypeUncached",
        "-Dorg.apache.lucene.store.defaultReadAdvice=normal",
        "-Dorg.apache.lucene.store.MMapDirectory.sharedArenaMaxPermits=1",
        "--add-opens=java.base/java.nio=org.apache.arrow.memory.core,ALL-UNNAMED",
        "--add-opens=java.base/jdk.internal.misc=ALL-UNNAMED",
        "-XX:+ExitOnOutOfMemoryError",
        f"-XX:ErrorFile={folder / 'logs'}/hs_err_pid%p.log",
    )
    return "".join(f"{option}\n" for option in options)


def _check_modules(server: Path) -> None:
    missing = [name for name in NEEDED_MODULES if not (server / "modules" / name).is_dir()]
    if missing:
        msg = (
            f"the Elasticsearch in {server} lacks the modules {', '.join(missing)}: the "
            "distribution has changed. Go back to the version of jars.lock that was tested"
        )
        raise StackError(msg)


def _check_access(server: Path, java: Java) -> None:
    for folder, variable in ((server, "FRAUDLAKE_CACHE"), (java.home, "FRAUDLAKE_ES_JAVA_HOME")):
        if not reachable_by_all(folder):
            msg = (
                f"Elasticsearch runs as {UNPRIVILEGED} here, who cannot enter {folder}. Set "
                f"{variable} to a place that everyone may enter, or run as an ordinary user"
            )
            raise StackError(msg)


def _make(link: Path, folder: Path) -> None:
    for name in ("conf", "data", "logs", "tmp"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    if folder != link and not link.is_symlink():
        link.symlink_to(folder)


def _write_config(
    folder: Path, server: Path, *, port: int, transport_port: int, heap_mb: int
) -> None:
    conf = folder / "conf"
    shutil.copytree(server / "config", conf, dirs_exist_ok=True)
    yaml = render_yaml(folder, port=port, transport_port=transport_port)
    (conf / "elasticsearch.yml").write_text(yaml, encoding="utf-8")
    options = render_jvm_options(folder, heap_mb=heap_mb)
    (conf / "jvm.options").write_text(options, encoding="utf-8")
    (conf / "log4j2.properties").write_text(_LOG4J, encoding="utf-8")


def _give(folder: Path, user: str) -> None:
    account = pwd.getpwnam(user)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
