"""The Java kernel of the job, compiled against the jars of the installed Flink into the cache.

The jar's name is the hash of its sources, resources and Flink's version, so a change of any of them
builds a new one, and an unchanged kernel is built once.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import tempfile
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from fraudlake.stack.cache import cache_dir, publish
from fraudlake.stack.flink_home import FlinkHome, find_flink
from fraudlake.stack.java import FOR_FLINK, find_java
from fraudlake.stack.project import KERNEL
from pipelines.errors import StackError
from pipelines.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

JAR_NAME = "fraudlake-kernel.jar"
JAVAC_OPTIONS = ("--release", "17", "-parameters", "-encoding", "UTF-8", "-proc:none", "-nowarn")
JAVAC_START = ("-J-XX:TieredStopAtLevel=1", "-J-XX:+UseSerialGC")
"""A compiler that runs for seconds does not repay an optimiser and a collector with threads."""
MANIFEST = b"Manifest-Version: 1.0\r\n\r\n"
_EPOCH = (1980, 1, 1, 0, 0, 0)


def build_kernel(
    flink: FlinkHome | None = None,
    *,
    environ: Mapping[str, str] = os.environ,
    source: Path = KERNEL,
) -> Path:
    """The kernel's jar, built first if need be; StackError carries the compiler's errors.

    ``flink`` None: the one of the settings in ``environ``.
    """
    home = find_flink(Settings.from_env(environ).flink.python) if flink is None else flink
    files = _inputs(source)
    entry = cache_dir(environ) / f"kernel-{_digest(source, files, home.version)}"

    def build(draft: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="fraudlake-kernel-") as classes:
            _compile(source, files, home, Path(classes), environ)
            _pack(draft / JAR_NAME, Path(classes), source / "resources")

    return publish(entry, build) / JAR_NAME


def _inputs(source: Path) -> list[Path]:
    files = sorted((source / "src").rglob("*.java"))
    if not files:
        msg = f"no Java sources below {source / 'src'}: the installation is incomplete"
        raise StackError(msg)
    return files + sorted(path for path in (source / "resources").rglob("*") if path.is_file())


def _digest(source: Path, files: list[Path], version: str) -> str:
    digest = hashlib.sha256("\n".join((version, *JAVAC_OPTIONS)).encode())
    for file in files:
        content = file.read_bytes()
        digest.update(f"\n{file.relative_to(source).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def _compile(
    source: Path, files: list[Path], flink: FlinkHome, classes: Path, environ: Mapping[str, str]
) -> None:
    java = find_java(FOR_FLINK, environ)
    jars = (*flink.class_path, *flink.prometheus)
    command = [str(java.home / "bin" / "javac"), *JAVAC_START, *JAVAC_OPTIONS, "-d", str(classes)]
    command += ["-classpath", os.pathsep.join(str(jar) for jar in jars)]
    command += [str(file) for file in files if file.suffix == ".java"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    if done.returncode != 0:
        msg = f"the kernel in {source} does not compile:\n{(done.stdout + done.stderr).strip()}"
        raise StackError(msg)


def _pack(jar: Path, *folders: Path) -> None:
    """The same classes give the same bytes: names sorted, times fixed."""
    with zipfile.ZipFile(jar, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr(zipfile.ZipInfo("META-INF/MANIFEST.MF", _EPOCH), MANIFEST)
        for folder in folders:
            for file in sorted(path for path in folder.rglob("*") if path.is_file()):
                info = zipfile.ZipInfo(file.relative_to(folder).as_posix(), _EPOCH)
                info.compress_type = zipfile.ZIP_DEFLATED
                packed.writestr(info, file.read_bytes())
