"""The example alert rules, run by a real Prometheus over the cluster's metrics."""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import yaml

from fraudlake.stack.home import Home
from fraudlake.stack.ports import choose_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from pipelines.settings import Settings

RULES = Path(__file__).parents[2] / "deploy" / "prometheus" / "alerts.yml"
START_SECONDS = 60
PROGRAM = shutil.which("prometheus")


@contextlib.contextmanager
def watching(settings: Settings) -> Iterator[Callable[[], set[str]]]:
    """The names of the alerts that fire for the job, whenever asked; it looks each second."""
    assert PROGRAM is not None
    port = choose_ports({"prometheus": 0}, strict=False)["prometheus"]
    urls = Home(path=settings.stack.home.resolve()).read_endpoints()["metrics"].values()
    targets = [urlsplit(str(url)).netloc for url in urls]
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [{"job_name": "flink", "static_configs": [{"targets": targets}]}],
    }
    with tempfile.TemporaryDirectory(prefix="fraudlake-prometheus-") as folder:
        file = Path(folder) / "prometheus.yml"
        file.write_text(yaml.safe_dump(config))
        command = [PROGRAM, f"--config.file={file}", f"--storage.tsdb.path={folder}/data"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
        process = subprocess.Popen(command)
        try:
            _await_first_look(port, len(targets))
            yield lambda: _firing(port, settings.flink.job_name)
        finally:
            process.terminate()
            process.wait(60)


def _await_first_look(port: int, targets: int) -> None:
    """A count that rises must have been seen before."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(OSError):
            found = _ask(port, "query?query=up==1")["result"]
            if len(found) == targets:
                return
        assert time.monotonic() < deadline, "Prometheus does not see the cluster"
        time.sleep(0.1)


def _firing(port: int, job_name: str) -> set[str]:
    return {
        item["labels"]["alertname"]
        for item in _ask(port, "alerts")["alerts"]
        if item["state"] == "firing" and item["labels"].get("job_name") == job_name
    }


def _ask(port: int, what: str) -> Any:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/v1/{what}", timeout=5) as answer:
        return json.load(answer)["data"]
