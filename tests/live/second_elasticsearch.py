"""An Elasticsearch of a test's own beside the stack's, set up as the test wants it."""

from __future__ import annotations

import os
import pwd
import shutil
import ssl
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fraudlake.stack.elasticsearch import elasticsearch_program
from fraudlake.stack.home import Home
from fraudlake.stack.jars import fetch_jars
from fraudlake.stack.java import FOR_ELASTICSEARCH, find_java
from fraudlake.stack.ports import choose_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from fraudlake.stack.program import Program

HEAP_MB = 512
START_SECONDS = 120.0


class SecondElasticsearch:
    """The node as the stack would run it, but for the settings that the test changes."""

    def __init__(self, program: Program, *, folder: Path, port: int, scheme: str) -> None:
        self._program = program
        self._process: subprocess.Popen[bytes] | None = None
        self.folder = folder
        self.conf = folder / "elasticsearch" / "conf"
        self.log = folder / "elasticsearch.log"
        self.port = port
        self.url = f"{scheme}://127.0.0.1:{port}"

    def start(self) -> None:
        """Start it and wait until its door answers."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._program.command,
                cwd=self._program.directory,
                env={**os.environ, **self._program.environment},
                user=self._program.user,
                group=None if self._program.user is None else group_of(self._program.user),
                extra_groups=None if self._program.user is None else [],
                stdout=output,
                stderr=output,
            )
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            ended = self._process.poll() is not None
            assert not ended, self.log.read_text(errors="replace")[-2000:]
            assert time.monotonic() < deadline, f"no answer; see {self.log}"
            time.sleep(0.2)

    def stop(self) -> None:
        """End it in an orderly way."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(60)

    def run_tool(self, tool: str, *words: str, typed: str = "") -> None:
        """One of the programs that come with the server, before it is started."""
        server = Path(self._program.command[1]).parent
        subprocess.run(
            [server / tool, *words],
            env={**os.environ, **self._program.environment},
            input=typed.encode(),
            check=True,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )

    def _answers(self) -> bool:
        # Nothing is entrusted to it yet, so its certificate does not matter.
        trusting = ssl.create_default_context()
        trusting.check_hostname = False
        trusting.verify_mode = ssl.CERT_NONE
        try:
            with urllib.request.urlopen(
                f"{self.url}/_cluster/health?wait_for_status=yellow", context=trusting, timeout=5
            ):
                return True
        except urllib.error.HTTPError as error:
            return error.code == 401
        except OSError:
            return False


@contextmanager
def running_elasticsearch(
    changes: Mapping[str, str],
    *,
    prepare: Callable[[SecondElasticsearch], None] = lambda _: None,
    scheme: str = "http",
) -> Iterator[SecondElasticsearch]:
    """A node that ends with the block; ``prepare`` is called before it starts."""
    folder = Path(tempfile.mkdtemp(prefix="fraudlake-second-"))
    folder.chmod(0o755)  # Elasticsearch may run as another user
    ports = choose_ports({"http": 0, "transport": 0}, strict=False)
    program = elasticsearch_program(
        Home(path=folder),
        fetch_jars().elasticsearch,
        find_java(FOR_ELASTICSEARCH, os.environ),
        port=ports["http"],
        transport_port=ports["transport"],
        heap_mb=HEAP_MB,
    )
    server = SecondElasticsearch(program, folder=folder, port=ports["http"], scheme=scheme)
    try:
        program.prepare()
        change_yaml(server.conf / "elasticsearch.yml", changes)
        prepare(server)
        if program.user is not None:
            give(server.conf, program.user)
        try:
            server.start()
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def change_yaml(file: Path, changes: Mapping[str, str]) -> None:
    """Replace settings of the stack's node, and add others."""
    lines = file.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if line.partition(":")[0] not in changes]
    added = [f"{name}: {value}" for name, value in changes.items()]
    file.write_text("\n".join([*kept, *added, ""]), encoding="utf-8")


def give(folder: Path, user: str) -> None:
    account = pwd.getpwnam(user)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid)


def group_of(user: str) -> int:
    return pwd.getpwnam(user).pw_gid
