"""A REST catalog as a process: Iceberg's own servlet, over a SQL catalog in SQLite."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fraudlake.stack.java import FOR_FLINK, find_java
from fraudlake.stack.ports import choose_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parent / "rest_catalog"
POM = FOLDER / "pom.xml"
BUILD_CLASSPATH = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath"
TOKEN = "to-the-catalog-only-7"


def resolve_classpath(pom: Path, target: Path) -> str:
    """The jars of a pom, which Maven fetches once; the test is skipped without Maven."""
    maven = shutil.which("mvn")
    if maven is None:
        pytest.skip("no Maven (mvn) to fetch jars with: `fraudlake doctor` shows how to get it")
    command = [maven, "-B", "-q", "-f", str(pom), BUILD_CLASSPATH]
    command += [f"-Dmdep.outputFile={target}", "-Dmdep.includeScope=runtime"]
    subprocess.run(command, check=True, timeout=600)
    return target.read_text()


@contextmanager
def running_rest_catalog(classpath: str, *, catalog_file: Path, warehouse: Path) -> Iterator[str]:
    """The address of a server that ends with the block."""
    port = choose_ports({"rest": 0}, strict=False)["rest"]
    java = str(find_java(FOR_FLINK, os.environ).command)
    command = [java, "-Xmx256m", "-cp", classpath, str(FOLDER / "RestCatalog.java"), str(port)]
    command += [f"jdbc:sqlite:{catalog_file}", "fraudlake", warehouse.as_uri(), TOKEN]
    log = warehouse.with_name("rest.log")
    with log.open("wb") as output:
        server = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            _await(f"http://127.0.0.1:{port}/v1/config", server, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()
            server.wait(timeout=10)


def _await(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Until it answers, if only that it wants a token."""
    deadline = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except urllib.error.HTTPError:
            return
        except urllib.error.URLError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
