"""The broker: Apache Kafka in KRaft mode, broker and controller in one process."""

from __future__ import annotations

import base64
import os
import subprocess
import uuid
from typing import TYPE_CHECKING

from fraudlake.stack.ports import LOOPBACK
from fraudlake.stack.program import Program
from pipelines.errors import StackError

if TYPE_CHECKING:
    from pathlib import Path

    from fraudlake.stack.home import Home
    from fraudlake.stack.java import Java

TRANSACTION_LIMIT_S = 3600
TRANSACTION_VERSION = 1
"""With version 2 a commit changes the producer's epoch. Flink's sink keeps the old one in its
checkpoint: what was committed and is committed again after a crash then looks like data that is
lost, and alarms. See docs/decisions/005."""
_LOGGING = (
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "-Dorg.slf4j.simpleLogger.showThreadName=false",
)


def kafka_program(
    home: Home, jars: tuple[Path, ...], java: Java, *, port: int, controller_port: int, heap_mb: int
) -> Program:
    """The broker on ``port``, with its data in ``<home>/kafka``."""
    folder = home.path / "kafka"
    properties = folder / "server.properties"
    heap = (f"-Xms{min(256, heap_mb)}m", f"-Xmx{heap_mb}m")
    base = (str(java.command), "-cp", os.pathsep.join(str(jar) for jar in jars), *_LOGGING)

    def prepare() -> None:
        folder.mkdir(exist_ok=True)
        properties.write_text(
            render_properties(folder / "data", port=port, controller_port=controller_port),
            encoding="utf-8",
        )
        if not (folder / "data" / "meta.properties").is_file():
            _format(base, properties)

    return Program(
        name="kafka",
        command=(*base, *heap, "-XX:+UseG1GC", "kafka.Kafka", str(properties)),
        priority=10,
        directory=folder,
        stop_seconds=20,
        prepare=prepare,
    )


def render_properties(data: Path, *, port: int, controller_port: int) -> str:
    """``server.properties`` of a single node for a laptop."""
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.listener.names": "CONTROLLER",
        "controller.quorum.voters": f"1@{LOOPBACK}:{controller_port}",
        "listeners": f"PLAINTEXT://{LOOPBACK}:{port},CONTROLLER://{LOOPBACK}:{controller_port}",
        "advertised.listeners": f"PLAINTEXT://{LOOPBACK}:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        # One node keeps one copy.
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "share.coordinator.state.topic.replication.factor": "1",
        "share.coordinator.state.topic.min.isr": "1",
        # Few threads and partitions: it shares two cores with everything else.
        "offsets.topic.num.partitions": "1",
        "transaction.state.log.num.partitions": "4",
        "num.network.threads": "2",
        "num.io.threads": "2",
        "num.recovery.threads.per.data.dir": "1",
        "group.initial.rebalance.delay.ms": "0",
        # By default 15 minutes: what was written and not committed would not outlive an outage.
        "transaction.max.timeout.ms": str(TRANSACTION_LIMIT_S * 1000),
        # The default of 128 MiB is taken at once, a quarter of a small heap.
        "log.cleaner.dedupe.buffer.size": "16777216",
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def _format(base: tuple[str, ...], properties: Path) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    command = [*base, "-Xmx128m", "kafka.tools.StorageTool", "format", f"--cluster-id={cluster}"]
    command += ["-c", str(properties), "--feature", f"transaction.version={TRANSACTION_VERSION}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        msg = f"Kafka could not prepare its data folder: {(done.stderr or done.stdout)[-800:]}"
        raise StackError(msg)
