"""The kernel as a process of its own, compiled once and driven by lines."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from fraudlake.stack.flink_home import find_flink
from fraudlake.stack.java import FOR_FLINK, find_java
from fraudlake.stack.kernel import build_kernel
from kernel_process import Kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

HARNESS = Path(__file__).parent / "java" / "KernelHarness.java"


@pytest.fixture(scope="session")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kernel]:
    """The card kernel, without Flink around it."""
    java = find_java(FOR_FLINK, os.environ).home / "bin"
    flink = find_flink()
    jars = os.pathsep.join(str(jar) for jar in (build_kernel(flink), *flink.class_path))
    classes = tmp_path_factory.mktemp("classes")
    subprocess.run([java / "javac", "-cp", jars, "-d", classes, HARNESS], check=True, timeout=120)
    command = [java / "java", "-Xmx256m", "-cp", f"{classes}{os.pathsep}{jars}", "KernelHarness"]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8", bufsize=1
    )
    yield Kernel(process)
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(30) == 0
    assert process.stdout is not None
    process.stdout.close()
