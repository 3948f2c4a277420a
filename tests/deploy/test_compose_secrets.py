"""No secret stands in the compose file; a script makes up those that it wants."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from compose_file import ROOT, SERVICES, WANTED

if TYPE_CHECKING:
    from pathlib import Path

SECRET = re.compile(r"PASSWORD|SECRET|TOKEN|API_?KEY|ACCESS_KEY|ENCRYPTIONKEY")
SECRETS_SCRIPT = ROOT / "deploy" / "secrets.sh"


@pytest.mark.parametrize("name", SERVICES)
def test_no_secret_stands_in_the_file(name: str) -> None:
    for variable, value in SERVICES[name].get("environment", {}).items():
        if SECRET.search(variable.upper()):
            assert WANTED.match(str(value)), variable


def test_script_makes_up_each_secret_that_the_file_wants_and_never_changes_one(
    tmp_path: Path,
) -> None:
    wanted = {
        found[1]
        for service in SERVICES.values()
        for value in service.get("environment", {}).values()
        if (found := WANTED.match(str(value)))
    }
    (tmp_path / "deploy").mkdir()
    script = shutil.copy(SECRETS_SCRIPT, tmp_path / "deploy")
    for _ in range(2):
        subprocess.run([script], check=True, capture_output=True)
        lines = (tmp_path / ".env").read_text().splitlines()
        made = dict(line.split("=", 1) for line in lines)
        assert made.keys() == wanted
        assert len(lines) == len(wanted)
    assert all(len(secret) == 32 for secret in made.values())
    assert len(set(made.values())) == len(wanted)
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0
    assert ".env" in (ROOT / ".gitignore").read_text().split()


def test_kibana_gets_a_key_without_which_it_makes_no_alerting_rule() -> None:
    """Of 32 characters at least, which is what the script makes up."""
    key = SERVICES["kibana"]["environment"]["XPACK_ENCRYPTEDSAVEDOBJECTS_ENCRYPTIONKEY"]

    found = WANTED.match(key)
    assert found is not None
    assert found[1] == "KIBANA_ENCRYPTION_KEY"
