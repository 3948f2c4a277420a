"""The exact command that installs a missing tool on this system."""

from __future__ import annotations

import platform
import shutil
from pathlib import Path
from typing import Literal

from fraudlake.stack.java import ES_JAVA_VARIABLE, JAVA_VARIABLE

System = Literal["apt", "dnf", "brew", "other"]

_SDKMAN = 'curl -s "https://get.sdkman.io" | bash && source ~/.sdkman/bin/sdkman-init.sh && sdk '
_UV = "curl -LsSf https://astral.sh/uv/install.sh | sh && uv python install 3.11 && "
_UV += 'make setup PYTHON="$(uv python find 3.11)"'
_ADOPTIUM = "https://packages.adoptium.net/artifactory"
_TEMURIN = (
    f"wget -qO- {_ADOPTIUM}/api/gpg/key/public | sudo tee /etc/apt/trusted.gpg.d/adoptium.asc && "
    f'echo "deb {_ADOPTIUM}/deb $(. /etc/os-release; echo $VERSION_CODENAME) main" | '
    "sudo tee /etc/apt/sources.list.d/adoptium.list && "
    "sudo apt-get update && sudo apt-get install -y temurin-21-jre"
)
_COMMANDS: dict[str, dict[System, str]] = {
    "python": {
        "apt": _UV,
        "dnf": "sudo dnf install -y python3.11",
        "brew": "brew install python@3.11",
        "other": _UV,
    },
    JAVA_VARIABLE: {
        "apt": "sudo apt-get install -y openjdk-17-jdk-headless",
        "dnf": "sudo dnf install -y java-17-openjdk-devel",
        "brew": "brew install openjdk@17",
        "other": f"{_SDKMAN}install java 17.0.15-tem",
    },
    ES_JAVA_VARIABLE: {
        "apt": "sudo apt-get install -y openjdk-21-jre-headless",
        "dnf": "sudo dnf install -y java-21-openjdk-headless",
        "brew": "brew install openjdk@21",
        "other": f"{_SDKMAN}install java 21.0.7-tem",
    },
    "mvn": {
        "apt": "sudo apt-get install -y maven",
        "dnf": "sudo dnf install -y maven",
        "brew": "brew install maven",
        "other": f"{_SDKMAN}install maven",
    },
    "make": {
        "apt": "sudo apt-get install -y make",
        "dnf": "sudo dnf install -y make",
        "brew": "xcode-select --install",
        "other": "install GNU make",
    },
}
# Debian and Ubuntu carry other versions from release to release.
_BY_RELEASE: dict[tuple[str, str], str] = {
    ("bookworm", "python"): "sudo apt-get install -y python3.11 python3.11-venv",
    ("jammy", "python"): "sudo apt-get install -y python3.11 python3.11-venv",
    ("bullseye", ES_JAVA_VARIABLE): _TEMURIN,
    ("bookworm", ES_JAVA_VARIABLE): _TEMURIN,
    ("trixie", JAVA_VARIABLE): "sudo apt-get install -y openjdk-21-jdk-headless",
}


def install_command(tool: str, *, system: System | None = None, release: str | None = None) -> str:
    """What to type. ``system`` and ``release`` None: found out from this machine.

    >>> install_command("mvn", system="brew", release="")
    'brew install maven'
    """
    manager = detect_system() if system is None else system
    codename = read_release() if release is None else release
    if manager == "apt" and (codename, tool) in _BY_RELEASE:
        return _BY_RELEASE[codename, tool]
    return _COMMANDS[tool][manager]


def detect_system() -> System:
    """The package manager of this system."""
    if platform.system() == "Darwin":
        return "brew"
    if shutil.which("apt-get") is not None:
        return "apt"
    return "dnf" if shutil.which("dnf") is not None else "other"


def read_release(file: Path = Path("/etc/os-release")) -> str:
    """The release's code name, such as "bookworm"; empty if the system has none."""
    lines = file.read_text(encoding="utf-8").splitlines() if file.is_file() else []
    named = [line for line in lines if line.startswith("VERSION_CODENAME=")]
    return named[0].partition("=")[2].strip('"') if named else ""
