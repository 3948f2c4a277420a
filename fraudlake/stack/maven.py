"""Maven as a downloader: it resolves the pom and copies every file in repository layout."""

from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

from fraudlake.stack.project import POM_FILE
from pipelines.errors import StackError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MAVEN_SECONDS = 900


def copy_dependencies(target: Path, *, environ: Mapping[str, str] = os.environ) -> None:
    """Put the run-time closure of the pom into ``target``, in repository layout.

    Uses the user's own Maven settings (mirrors, proxies). StackError says what to do.
    """
    maven = shutil.which("mvn", path=environ.get("PATH"))
    if maven is None:
        msg = (
            "Maven (mvn) is not on the PATH, and it brings the jars of the servers. Install it "
            "(`fraudlake doctor` shows how), or name a folder that holds the files of jars.lock: "
            "FRAUDLAKE_JARS=/path/to/jars"
        )
        raise StackError(msg)
    # Not -C: a mirror may have no checksums of its own, and jars.lock checks every file anyway.
    command = [maven, "-B", "-q", "-f", str(POM_FILE), "dependency:copy-dependencies"]
    command += ["-DincludeScope=runtime", "-Dmdep.useRepositoryLayout=true"]
    command += [f"-DoutputDirectory={target}", "-Dstyle.color=never"]
    try:
        done = subprocess.run(
            command,
            env=dict(environ),
            capture_output=True,
            text=True,
            timeout=MAVEN_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        msg = f"Maven did not finish within {MAVEN_SECONDS} s. Try `fraudlake jars fetch` again"
        raise StackError(msg) from error
    if done.returncode != 0:
        raise StackError(_explain(done.stdout + done.stderr))


def _explain(output: str) -> str:
    errors = [line.removeprefix("[ERROR] ") for line in output.splitlines() if "[ERROR]" in line]
    first = errors[0] if errors else output.strip()[-500:]
    if any(sign in output for sign in ("Could not transfer", "Unknown host", "Connect to")):
        return (
            "the jars of the servers could not be downloaded from Maven Central: no network, or a "
            "proxy or mirror is missing in ~/.m2/settings.xml. Run `fraudlake jars fetch` once "
            f"with network, or set FRAUDLAKE_JARS to a folder that holds them. Maven says: {first}"
        )
    return f"Maven failed: {first}"
