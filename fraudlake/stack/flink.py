"""The Flink cluster: one JobManager and its TaskManagers, from the jars inside the wheel."""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from fraudlake.stack.flink_memory import FlinkMemory, Kind, read_memory
from fraudlake.stack.flink_metrics import link_plugins, reporter_options
from fraudlake.stack.ports import LOOPBACK
from fraudlake.stack.program import Program
from pipelines.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from fraudlake.stack.flink_home import FlinkHome
    from fraudlake.stack.home import Home
    from fraudlake.stack.java import Java
    from pipelines.settings import Settings

# One stream, so that the supervisor alone rotates it. The sinks register the same metrics anew at
# every checkpoint: four warnings a second, in which no other would be seen.
_LOG4J = """\
rootLogger.level = INFO
rootLogger.appenderRef.console.ref = ConsoleAppender
appender.console.name = ConsoleAppender
appender.console.type = CONSOLE
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-60c %x - %m%n
logger.pekko.name = org.apache.pekko
logger.pekko.level = WARN
logger.kafka.name = org.apache.kafka
logger.kafka.level = WARN
logger.shaded_kafka.name = org.apache.flink.kafka.shaded.org.apache.kafka
logger.shaded_kafka.level = WARN
logger.metrics.name = org.apache.flink.metrics.MetricGroup
logger.metrics.level = ERROR
"""


JOBMANAGER_CLASS = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
TASKMANAGER_CLASS = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"


def flink_programs(
    home: Home,
    settings: Settings,
    flink: FlinkHome,
    java: Java,
    *,
    port: int,
    rpc_port: int,
    kernel: Path,
    metrics_ports: Mapping[str, int],
    divide: Callable[..., FlinkMemory] = read_memory,
) -> list[Program]:
    """The JobManager with its REST on ``port``, and as many TaskManagers as set.

    ``kernel`` brings the reporter of metrics, which each process offers on its port.
    They are started as Flink's scripts would, with ``divide`` in place of the scripts' arithmetic.
    """
    folder = home.path / "flink"
    modules = _module_options(flink.home / "conf" / "config.yaml")
    config = render_config(folder, settings, modules, port=port, rpc_port=rpc_port)

    def prepare() -> None:
        for name in ("conf", "tmp", "web", "checkpoints", "savepoints"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "conf" / "config.yaml").write_text(config, encoding="utf-8")
        (folder / "conf" / "log4j-console.properties").write_text(_LOG4J, encoding="utf-8")
        link_plugins(folder / "plugins", flink, kernel)
        shutil.copy(flink.home / "conf" / "log4j-cli.properties", folder / "conf")

    def program(name: str, kind: Kind, options: Mapping[str, str]) -> Program:
        memory = divide(kind, config, flink=flink, java=java, memory_folder=folder / "memory")
        main = JOBMANAGER_CLASS if kind == "jobmanager" else TASKMANAGER_CLASS
        all_options = {**options, **reporter_options(metrics_ports, name)}
        extra = [part for item in all_options.items() for part in ("-D", "=".join(item))]
        return Program(
            name=name,
            command=(
                str(java.command),
                *memory.jvm,
                *_jvm_options(modules, java, folder / "conf"),
                "-classpath",
                os.pathsep.join(str(jar) for jar in flink.class_path),
                main,
                "--configDir",
                str(folder / "conf"),
                *memory.options,
                *extra,
            ),
            priority=30 if kind == "jobmanager" else 40,
            environment=_environment(flink, java, folder),
            directory=folder,
            prepare=prepare,
        )

    # Where the web page finds the logs.
    jobmanager_log = {"web.log.path": str(home.log("jobmanager"))}
    programs = [program("jobmanager", "jobmanager", jobmanager_log)]
    for name in taskmanager_names(settings):
        # A fixed id: a restarted TaskManager replaces the dead one at once, not after the
        # heartbeat's time-out.
        own = {"taskmanager.resource-id": name, "taskmanager.log.path": str(home.log(name))}
        programs.append(program(name, "taskmanager", own))
    return programs


def _jvm_options(modules: str, java: Java, conf: Path) -> list[str]:
    log4j = (conf / "log4j-console.properties").as_uri()
    # Later than 17, Java asks for a flag before it lets Flink guard System.exit.
    guard = ["-Djava.security.manager=allow"] if java.major > 17 else []
    return [
        "-XX:+IgnoreUnrecognizedVMOptions",
        *shlex.split(modules),
        *guard,
        f"-Dlog4j.configuration={log4j}",
        f"-Dlog4j.configurationFile={log4j}",
    ]


def _environment(flink: FlinkHome, java: Java, folder: Path) -> dict[str, str]:
    """What Flink's scripts export, and Flink and PyFlink read."""
    return {
        "JAVA_HOME": str(java.home),
        "FLINK_HOME": str(flink.home),
        "FLINK_CONF_DIR": str(folder / "conf"),
        "FLINK_BIN_DIR": str(flink.home / "bin"),
        "FLINK_LIB_DIR": str(flink.home / "lib"),
        "FLINK_OPT_DIR": str(flink.home / "opt"),
        "FLINK_PLUGINS_DIR": str(folder / "plugins"),
    }


def taskmanager_names(settings: Settings) -> list[str]:
    """``taskmanager-1`` and so on; also the ids under which the JobManager knows them."""
    return [f"taskmanager-{number + 1}" for number in range(settings.stack.taskmanagers)]


def render_config(
    folder: Path, settings: Settings, modules: str, *, port: int, rpc_port: int
) -> str:
    """``config.yaml`` of the cluster; the command line ``flink`` reads it too."""
    config = cluster_config(folder, settings, port=port, rpc_port=rpc_port)
    config["env.java.opts.all"] = modules
    return "".join(f"{name}: {value}\n" for name, value in config.items())


def cluster_config(
    folder: Path, settings: Settings, *, port: int, rpc_port: int
) -> dict[str, str | int | float]:
    """``config.yaml``, without the options for the JVM."""
    stack = settings.stack
    checkpoints = checkpoint_uri(folder, settings.flink.checkpoint_dir)
    managed = 0.1 if settings.flink.state_backend == "hashmap" else 0.4
    return {
        "jobmanager.rpc.address": LOOPBACK,
        "jobmanager.rpc.port": rpc_port,
        "jobmanager.bind-host": LOOPBACK,
        "jobmanager.memory.process.size": f"{stack.jobmanager_memory_mb}m",
        "taskmanager.host": LOOPBACK,
        "taskmanager.bind-host": LOOPBACK,
        "taskmanager.numberOfTaskSlots": stack.taskmanager_slots,
        "taskmanager.memory.process.size": f"{stack.taskmanager_memory_mb}m",
        # State on the heap needs no managed memory; only a Python model takes a little of it.
        "taskmanager.memory.managed.fraction": managed,
        "rest.address": LOOPBACK,
        "rest.bind-address": LOOPBACK,
        "rest.port": port,
        "rest.bind-port": port,
        "web.submit.enable": "true",
        "web.cancel.enable": "true",
        "web.tmpdir": str(folder / "web"),
        "web.upload.dir": str(folder / "web"),
        "io.tmp.dirs": str(folder / "tmp"),
        "blob.storage.directory": str(folder / "tmp"),
        "process.working-dir": str(folder / "tmp"),
        "execution.checkpointing.dir": f"{checkpoints}/checkpoints",
        "execution.checkpointing.savepoint-dir": f"{checkpoints}/savepoints",
        # A killed TaskManager is noticed within ten seconds, and the job goes on by itself.
        "heartbeat.interval": "2 s",
        "heartbeat.timeout": "10 s",
        # `fraudlake job status --watch` looks each second.
        "metrics.fetcher.update-interval": "1 s",
        "classloader.check-leaked-classloader": "false",
    }


def checkpoint_uri(folder: Path, configured: str) -> str:
    """The root of checkpoints and savepoints: the setting, else the cluster's own folder."""
    root = folder.as_uri() if configured == "" else configured
    return root.rstrip("/") if "://" in root else Path(root).absolute().as_uri()


def _module_options(config: Path) -> str:
    """The ``--add-opens`` block that Flink ships; without it a JVM of 17 or newer refuses."""
    match = re.search(r"^\s+all:\s*(--add-\S.*)$", config.read_text(encoding="utf-8"), re.M)
    if match is None:
        msg = f"{config} has no env.java.opts.all: this is not the Flink that was tested (2.3)"
        raise StackError(msg)
    return match.group(1)
