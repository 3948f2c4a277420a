"""The PostgreSQL of the Debian package, in a temporary folder, on a free port of the loopback."""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

from fraudlake.stack.ports import choose_ports

if TYPE_CHECKING:
    from collections.abc import Iterator

BINARIES = Path("/usr/lib/postgresql")
USER = "lake"
PASSWORD = "to-postgres-only-7"


@dataclass(frozen=True, slots=True, kw_only=True)
class Postgres:
    """A running server, which wants a password."""

    binaries: Path
    folder: Path
    port: int

    def create_database(self) -> str:
        """An empty database; its address, without the password."""
        name = f"t{secrets.token_hex(4)}"
        with self.connect("postgres") as connection:
            connection.execute(f'CREATE DATABASE "{name}"')  # type: ignore[call-overload]
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{name}"

    def connect(self, database: str) -> psycopg.Connection:
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=PASSWORD,
            dbname=database,
            autocommit=True,
        )

    def start(self) -> None:
        # No socket file, no fsync: it is gone in a minute.
        options = (
            f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' "
            "-c fsync=off"
        )
        self.run("pg_ctl", "-D", "data", "-w", "-l", "log", "-o", options, "start")

    def stop(self) -> None:
        self.run("pg_ctl", "-D", "data", "-w", "-m", "immediate", "stop")

    def run(self, program: str, *words: str) -> None:
        """As another user where it refuses to be run as this one."""
        subprocess.run(
            [self.binaries / program, *words],
            check=True,
            cwd=self.folder,
            user="postgres" if os.geteuid() == 0 else None,
            stdout=subprocess.DEVNULL,
            timeout=60,
        )


@contextmanager
def running_postgres() -> Iterator[Postgres]:
    """A server that ends with the block; the test is skipped where none is installed."""
    found = sorted(BINARIES.glob("*/bin/pg_ctl"))
    if not found:
        pytest.skip(f"no PostgreSQL in {BINARIES}: apt-get install postgresql")
    # Not below pytest's own folder, which the server's user may not enter.
    folder = Path(tempfile.mkdtemp(prefix="fraudlake-postgres-"))
    port = choose_ports({"postgres": 0}, strict=False)["postgres"]
    server = Postgres(binaries=found[-1].parent, folder=folder, port=port)
    try:
        (folder / "password").write_text(PASSWORD)
        if os.geteuid() == 0:
            owner = pwd.getpwnam("postgres")
            for path in (folder, folder / "password"):
                os.chown(path, owner.pw_uid, owner.pw_gid)
        options = ["--pwfile", "password", "--no-sync", "--no-locale", "-E", "UTF8"]
        server.run("initdb", "-D", "data", "-U", USER, "-A", "scram-sha-256", *options)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)
