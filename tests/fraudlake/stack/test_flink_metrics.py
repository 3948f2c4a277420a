"""Where Prometheus finds each process of the cluster, and what Flink loads for it."""

from __future__ import annotations

from pathlib import Path

from fraudlake.stack.flink_home import FlinkHome
from fraudlake.stack.flink_metrics import link_plugins, metrics_urls, preferred_metrics_ports
from pipelines.settings import StackSettings


def test_further_taskmanagers_follow_the_port_of_the_first() -> None:
    assert preferred_metrics_ports(StackSettings(taskmanagers=3)) == {
        "jobmanager_metrics_port": 9249,
        "taskmanager_metrics_port": 9250,
        "taskmanager_2_metrics_port": 9251,
        "taskmanager_3_metrics_port": 9252,
    }


def test_any_port_stays_any_port_for_all() -> None:
    anywhere = StackSettings(taskmanagers=2, taskmanager_metrics_port=0)
    assert preferred_metrics_ports(anywhere)["taskmanager_2_metrics_port"] == 0


def test_addresses_are_those_of_the_ports_and_only_of_those() -> None:
    ports = {"jobmanager_metrics_port": 1, "taskmanager_metrics_port": 2, "flink_port": 3}
    assert metrics_urls(ports, ["jobmanager", "taskmanager-1", "taskmanager-2"]) == {
        "jobmanager": "http://127.0.0.1:1/metrics",
        "taskmanager-1": "http://127.0.0.1:2/metrics",
    }


def test_plugins_are_flinks_own_and_the_reporter_with_the_kernel(tmp_path: Path) -> None:
    shipped = tmp_path / "pyflink" / "plugins"
    for name in ("metrics-prometheus/flink-metrics-prometheus-2.3.0.jar", "s3/s3.jar"):
        (shipped / name).parent.mkdir(parents=True)
        (shipped / name).write_text(name)
    flink = FlinkHome(python=Path("python"), home=tmp_path / "pyflink", version="2.3.0")
    folder = tmp_path / "plugins"
    for version in ("old", "new"):  # a second start brings the kernel of now
        kernel = tmp_path / version / "kernel.jar"
        kernel.parent.mkdir()
        kernel.write_text(version)
        link_plugins(folder, flink, kernel)
    assert (folder / "s3" / "s3.jar").is_file()
    reporter = folder / "metrics-prometheus"
    assert {jar.name for jar in reporter.iterdir()} == {
        "flink-metrics-prometheus-2.3.0.jar",
        "kernel.jar",
    }
    assert (reporter / "kernel.jar").read_text() == "new"
