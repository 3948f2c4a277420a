"""Every rule set that came into use here, kept so that what a decision names can be looked up.

It comes into use when it is published, or handed to a cluster with a job: also one that failed, for
it may have decided before it was taken back. Each lies in ``<stack home>/rules`` under its version,
as the file it was; beside it stands when and how it came. The file is the newest of that version,
in which comments, owners and examples may differ from the first; when it came stays.
"""

from __future__ import annotations

import json
import re
import tomllib
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from pipelines.errors import RulesetError
from pipelines.whole_file import write_whole

if TYPE_CHECKING:
    from pathlib import Path

    from pipelines.rules import Ruleset
    from pipelines.settings import Settings

FOLDER = "rules"
Origin = Literal["published", "deployed"]
_NAME = re.compile(r"[a-z][a-z0-9_]*-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """How a version came into use here first."""

    source: str
    """A shipped name, or the path of the file it was made from."""
    origin: Origin
    at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRule:
    """A rule as its file has it."""

    rule_id: str
    owner: str
    state: str
    weight: float
    condition: str
    because: str
    description: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRuleset:
    """A version as its file has it. Nothing is compiled: a later release may know no such column.

    Without ``arrival`` it is older than what is kept of when and how.
    """

    id: str
    hash: str
    description: str
    combine: str
    review_at: float
    block_at: float
    rules: tuple[KeptRule, ...]
    text: str
    arrival: Arrival | None

    @property
    def version(self) -> str:
        """As decisions name it."""
        return f"{self.id}@{self.hash}"

    @property
    def arrived_at(self) -> datetime | None:
        """When it came into use here first."""
        return None if self.arrival is None else datetime.fromisoformat(self.arrival.at)


def keep(
    settings: Settings, ruleset: Ruleset, text: str, *, source: str, origin: Origin, now: datetime
) -> Path:
    """Keep the file of a rule set under its version; its copy."""
    copy = rules_folder(settings) / f"{ruleset.version.replace('@', '-')}.toml"
    # One that is there without it came at a time that nobody knows any more.
    if not copy.is_file():
        arrival = Arrival(source=source, origin=origin, at=now.isoformat(timespec="seconds"))
        write_whole(_arrival_file(copy), json.dumps(asdict(arrival)) + "\n")
    write_whole(copy, text)
    return copy


def read_kept(settings: Settings) -> list[KeptRuleset]:
    """All of them, by name; RulesetError if a file is not what was put there."""
    folder = rules_folder(settings)
    return [_read(path) for path in sorted(folder.glob("*.toml")) if _NAME.fullmatch(path.stem)]


def rules_folder(settings: Settings) -> Path:
    """Where they lie, and with them what says which is in force."""
    return settings.stack.home / FOLDER


def _arrival_file(copy: Path) -> Path:
    return copy.with_suffix(".json")


def _read(path: Path) -> KeptRuleset:
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
        head = content["ruleset"]
        name, _, digest = path.stem.rpartition("-")
        return KeptRuleset(
            id=name,
            hash=digest,
            description=head.get("description", ""),
            combine=head["combine"],
            review_at=float(head["review_at"]),
            block_at=float(head["block_at"]),
            rules=tuple(_read_rule(rule) for rule in content["rule"]),
            text=text,
            arrival=_read_arrival(_arrival_file(path)),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        msg = (
            f"{path} is not the rule set that was kept there: {error!r}. Put it back from a copy; "
            "or delete it, and nobody can look up any more what decided under that version"
        )
        raise RulesetError(msg) from error


def _read_rule(rule: dict[str, Any]) -> KeptRule:
    return KeptRule(
        rule_id=rule["id"],
        owner=rule["owner"],
        state=rule["state"],
        weight=float(rule["weight"]),
        condition=rule["when"],
        because=rule["because"],
        description=rule.get("description", ""),
    )


def _read_arrival(path: Path) -> Arrival | None:
    if not path.is_file():
        return None
    arrival = Arrival(**json.loads(path.read_text(encoding="utf-8")))
    datetime.fromisoformat(arrival.at)
    return arrival
