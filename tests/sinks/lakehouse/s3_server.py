"""moto's S3 on a free port of the loopback: a store that answers as Amazon's does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pyarrow.fs import FileSelector, S3FileSystem

from fraudlake.stack.ports import choose_ports

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY_ID = "lake-key"
SECRET = "to-the-store-only-7"
BUCKET = "lake"


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A running store with one bucket."""

    endpoint: str
    log: Path
    files: S3FileSystem

    def requests(self) -> list[str]:
        """Every request so far, as method and path."""
        return re.findall(
            r'"(?:\x1b\[\d+m)*((?:GET|HEAD|PUT|POST|DELETE) \S+)', self.log.read_text()
        )

    def contents(self) -> dict[str, bytes]:
        """Every object of the bucket."""
        found = self.files.get_file_info(FileSelector(BUCKET, recursive=True))
        return {
            info.path: self.files.open_input_file(info.path).readall()
            for info in found
            if info.is_file
        }


@contextmanager
def running_s3(log: Path, *, knows_keys: bool = False) -> Iterator[Store]:
    """A store that ends with the block; with ``knows_keys`` it refuses keys, having given none."""
    port = choose_ports({"s3": 0}, strict=False)["s3"]
    endpoint = f"http://127.0.0.1:{port}"
    environ = {**os.environ}
    if knows_keys:
        environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "1"  # for the bucket
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=output,
            stderr=output,
            env=environ,
        )
        try:
            _create_bucket(endpoint, server, log)
            files = S3FileSystem(
                endpoint_override=endpoint,
                access_key=KEY_ID,
                secret_key=SECRET,
                region="us-east-1",
            )
            yield Store(endpoint=endpoint, log=log, files=files)
        finally:
            server.terminate()
            server.wait(timeout=10)


def _create_bucket(endpoint: str, server: subprocess.Popen[bytes], log: Path) -> None:
    request = urllib.request.Request(f"{endpoint}/{BUCKET}", method="PUT")
    deadline = time.monotonic() + 90
    while True:
        try:
            urllib.request.urlopen(request, timeout=5).close()
        except urllib.error.URLError:
            assert server.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        else:
            return
