"""docker-compose.yml, read once for its tests, and what they ask of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

ROOT = Path(__file__).parents[2]
COMPOSE = ROOT / "docker-compose.yml"
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE.read_text())["services"]
OURS = [name for name, service in SERVICES.items() if service["image"] == "fraudlake:0.1.0"]
DAGSTER = ("dagster-code", "dagster", "dagster-daemon")
# Where each server listens between the containers.
LISTENS = {"kafka": 19092, "jobmanager": 8081, "elasticsearch": 9200, "s3": 7070, "catalog": 8181}
# ``${NAME:?what to do}``: the shell or `.env` must have it.
WANTED = re.compile(r"^\$\{(\w+):\?[^}]+\}$")


def fill_in(environ: dict[str, str]) -> dict[str, str]:
    """The environment of a shell that sets nothing but what must be.

    ``${NAME-default}``, with or without a colon, is the default, ``${NAME:?sentence}`` some text.
    """
    filled = {name: WANTED.sub("made-up", str(value)) for name, value in environ.items()}
    return {name: re.sub(r"\$\{\w+:?-([^}]*)\}", r"\1", value) for name, value in filled.items()}


def mounts(name: str) -> dict[str, str]:
    """What a service mounts, by where: a volume, or a file or folder that begins with ``./``."""
    found = {}
    for volume in SERVICES[name].get("volumes", []):
        if isinstance(volume, str):
            source, target = volume.split(":")[:2]
        else:
            source, target = fill_in({"source": volume["source"]})["source"], volume["target"]
        found[target] = source
    return found


def flink_options(name: str) -> dict[str, str]:
    """What follows each ``-D`` of a service's command."""
    words = SERVICES[name].get("command", [])
    return dict(words[at + 1].split("=", 1) for at, word in enumerate(words) if word == "-D")


def split(url: str) -> tuple[str | None, int | None]:
    parts = urlsplit(url)
    return parts.hostname, parts.port
