"""The front door: every refusal is one sentence and an exit code, never a traceback."""

from __future__ import annotations

import errno
import os
from importlib import metadata

import pytest

from fraudlake import cli
from pipelines.errors import JobError, SettingsError, TransientError


def run(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> int:
    def fail() -> None:
        raise error

    monkeypatch.setattr(cli, "app", fail)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert isinstance(ended.value.code, int)
    return ended.value.code


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (JobError("no job [runs]"), 4, "error: no job [runs]\n"),
        (SettingsError("kafka.partitions must be above 0"), 2, "must be above 0"),
        (TransientError("no broker answers"), 3, "no broker answers"),
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/data/kafka"),
            4,
            "error: /data/kafka: No space left on device. Make room, or name a folder",
        ),
        (PermissionError(errno.EACCES, "Permission denied", "/srv/x"), 4, "FRAUDLAKE_STACK_HOME"),
        (OSError("strange"), 4, "error: strange."),
        (KeyboardInterrupt(), 130, "interrupted"),
    ],
)
def test_a_failure_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    code: int,
    words: str,
) -> None:
    assert run(monkeypatch, error) == code
    written = capsys.readouterr().err
    assert words in written
    assert "Traceback" not in written


def test_the_release_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["fraudlake", "--version"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    assert capsys.readouterr().out == f"fraudlake {metadata.version('fraudlake')}\n"
