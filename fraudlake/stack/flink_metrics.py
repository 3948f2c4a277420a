"""Flink's metrics for Prometheus: a port for each process of the cluster, and the reporter.

The reporter that Flink ships listens on every address of the machine, so the kernel's jar brings
one for the loopback, which Flink loads as a plugin beside its own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from fraudlake.stack.ports import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from fraudlake.stack.flink_home import FlinkHome
    from pipelines.settings import StackSettings

REPORTER = "metrics.reporter.prometheus"
FACTORY = "io.fraudlake.reporter.LoopbackReporterFactory"
PLUGIN = "metrics-prometheus"


def preferred_metrics_ports(stack: StackSettings) -> dict[str, int]:
    """Port names with the ports to prefer; further TaskManagers follow the first."""
    first = stack.taskmanager_metrics_port
    ports = {"jobmanager_metrics_port": stack.jobmanager_metrics_port}
    for number in range(1, stack.taskmanagers + 1):
        ports[_port_name(f"taskmanager-{number}")] = first if first == 0 else first + number - 1
    return ports


def metrics_urls(ports: Mapping[str, int], processes: list[str]) -> dict[str, str]:
    """Where Prometheus finds each process of the cluster."""
    return {
        name: f"http://{LOOPBACK}:{ports[_port_name(name)]}/metrics"
        for name in processes
        if _port_name(name) in ports
    }


def reporter_options(ports: Mapping[str, int], process: str) -> dict[str, str]:
    """Flink's options for one process; none where it has no port."""
    port = ports.get(_port_name(process))
    if port is None:
        return {}
    return {f"{REPORTER}.factory.class": FACTORY, f"{REPORTER}.port": str(port)}


def link_plugins(folder: Path, flink: FlinkHome, kernel: Path) -> None:
    """Make ``folder`` Flink's plugins: its own as they are, and the reporter with our part."""
    folder.mkdir(parents=True, exist_ok=True)
    for plugin in (flink.home / "plugins").glob("*/"):
        if plugin.name != PLUGIN:
            _link(folder / plugin.name, plugin)
    (folder / PLUGIN).mkdir(exist_ok=True)
    for jar in (*flink.prometheus, kernel):
        _link(folder / PLUGIN / jar.name, jar)


def _link(place: Path, target: Path) -> None:
    place.unlink(missing_ok=True)
    place.symlink_to(target)


def _port_name(process: str) -> str:
    """The setting of the process's port; that of the first TaskManager has no number."""
    return f"{process.removesuffix('-1').replace('-', '_')}_metrics_port"
