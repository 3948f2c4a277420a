"""The home: its lock, its socket, and the addresses it remembers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fraudlake.stack.home import Home
from pipelines.errors import SettingsError, StackError
from pipelines.settings import Settings


def test_written_addresses_are_what_the_settings_read(tmp_path: Path) -> None:
    home = Home(path=tmp_path / "home")
    home.make()
    written = {
        "kafka": {"bootstrap_servers": "127.0.0.1:9999"},
        "elasticsearch": {"url": "http://127.0.0.1:9998"},
        "up": {"parts": ["kafka", 'odd "name\\']},
    }
    home.write_endpoints(written)
    assert home.read_endpoints() == written
    settings = Settings.from_env({"FRAUDLAKE_STACK_HOME": str(home.path)}, cwd=tmp_path)
    assert settings.kafka.bootstrap_servers == "127.0.0.1:9999"
    assert settings.elasticsearch.url == "http://127.0.0.1:9998"


def test_home_that_is_down_has_no_addresses(tmp_path: Path) -> None:
    assert Home(path=tmp_path).read_endpoints() == {}


def test_socket_of_a_deep_home_is_short_and_private(tmp_path: Path) -> None:
    shallow = Home(path=Path("/srv/fraudlake"))
    assert shallow.socket == Path("/srv/fraudlake/supervisor.sock")
    deep = Home(path=tmp_path / ("d" * 120))
    deep.make()
    try:
        # 108 bytes on Linux and 104 on macOS, with the process id that supervisord adds.
        assert len(os.fsencode(deep.socket)) + len(".4194304") < 104
        assert deep.socket.parent.stat().st_mode & 0o777 == 0o700
        deep.socket.parent.chmod(0o755)
        with pytest.raises(StackError, match="open to others"):
            deep.make()
    finally:
        deep.forget()
    assert not deep.socket.parent.exists()


def test_percent_sign_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot handle a %"):
        Home(path=tmp_path / "100%").make()


def test_second_up_is_told_of_the_first(tmp_path: Path) -> None:
    home = Home(path=tmp_path)
    with home.lock(wait_seconds=0):
        second = home.lock(wait_seconds=0)
        with pytest.raises(StackError, match="another `fraudlake up`"):
            second.__enter__()
    with home.lock(wait_seconds=0):
        pass
