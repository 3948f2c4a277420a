"""The kernel and the decoder as processes of their own, compiled once and driven by lines."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kernel_process import FX, Decoder, Kernel, running

from fraudlake.stack.flink_home import find_flink
from fraudlake.stack.java import FOR_FLINK, find_java
from fraudlake.stack.kernel import JAVAC_START, build_kernel

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = Path(__file__).parent / "java"


@pytest.fixture(scope="session")
def class_path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The harnesses, the kernel and Flink's own jars."""
    flink = find_flink()
    jars = os.pathsep.join(str(jar) for jar in (build_kernel(flink), *flink.class_path))
    classes = tmp_path_factory.mktemp("classes")
    javac = find_java(FOR_FLINK, os.environ).home / "bin" / "javac"
    sources = [str(path) for path in SOURCES.rglob("*.java")]
    command = [javac, *JAVAC_START, "-cp", jars, "-d", classes, *sources]
    subprocess.run(command, check=True, timeout=120)
    return f"{classes}{os.pathsep}{jars}"


@pytest.fixture(scope="session")
def kernel(class_path: str) -> Iterator[Kernel]:
    """The card kernel, without Flink around it."""
    with running(class_path, "KernelHarness") as process:
        yield Kernel(process)


@pytest.fixture(scope="session")
def decoder(class_path: str) -> Iterator[Decoder]:
    """The contract decoder, with the shipped exchange rates."""
    rates = ",".join(f"{currency}={rate}" for currency, rate in FX.rates.items())
    with running(class_path, "io.fraudlake.format.DecoderHarness", rates) as process:
        yield Decoder(process)
