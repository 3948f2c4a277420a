"""The rule set that is in force: checked, kept under its version, and named by one small file.

Both lie in ``<stack home>/rules``: each version that was ever published as the file it was
(``kept_rules.py``), and ``active.json``, which says which of them counts. A file that was edited
since changes nothing until it is published.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from pipelines.errors import RulesetError
from pipelines.features import load_features
from pipelines.job_memory import remembered
from pipelines.kept_rules import keep, rules_folder
from pipelines.rules import (
    Ruleset,
    compile_rules,
    explain_failure,
    failing_examples,
    find_ruleset,
    read_ruleset,
    shipped_rulesets,
)
from pipelines.rules.difference import describe_difference
from pipelines.whole_file import write_whole

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from pipelines.settings import Settings

ACTIVE_FILE = "active.json"
ADVICE = ". Publish one again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The rule set in force."""

    version: str
    source: str
    """A shipped name, or the path of the file it was made from."""
    file: str
    """Its copy, in the folder of the published ones."""
    at: str
    """When it was published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What publishing has done."""

    published: Published
    before: str | None
    """The version that was in force, if any."""
    ruleset: Ruleset
    difference: str
    """To the one before, as Markdown."""
    path: Path
    """The copy that is to be deployed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unpublished:
    """Why nothing was put in force."""

    version: str
    """What the job was deployed with; empty where that is not remembered."""
    sentence: str


def publish(settings: Settings, *, ruleset: str | None, now: datetime) -> Publication:
    """Put a rule set in force; RulesetError lists every fault, and the one in force stays.

    Not named, it is the source that was published last, else what the job was deployed with, else
    the setting's. Where it cannot be read which was in force, none was, and the difference says so.
    """
    known, lost = _read_known(settings)
    source = find_ruleset(ruleset or _choose(settings, known))
    checked = check_ruleset(source)
    shipped = source.stem if shipped_rulesets().get(source.stem) == source else None
    name = shipped or str(source.absolute())
    text = source.read_text(encoding="utf-8")
    copy = keep(settings, checked, text, source=name, origin="published", now=now)
    published = Published(
        version=checked.version,
        source=name,
        file=copy.name,
        at=now.isoformat(timespec="seconds"),
    )
    difference = _describe(settings, known, checked)
    write_whole(rules_folder(settings) / ACTIVE_FILE, json.dumps(asdict(published)) + "\n")
    return Publication(
        published=published,
        before=None if known is None else known.version,
        ruleset=checked,
        difference=difference if lost is None else f"{lost}\n\n{difference}",
        path=copy,
    )


def publish_first(settings: Settings, *, now: datetime) -> Publication | Unpublished:
    """Put in force what the job was deployed with, or without a job the setting's.

    What is in force already stays, whatever became of its source. A file that is another by now
    than the job has is not published: that is for a person to decide.
    """
    known = read_published(settings)
    if known is not None:
        return _find(settings, known)
    job = remembered(settings)
    if job is not None and (job.ruleset or job.has_run):
        source = _choose(settings, None)
        if _read_version(source) != job.ruleset:
            msg = (
                f"the job was deployed with {job.ruleset or 'rules that are not remembered'}, and "
                f"{source} is not that any longer. Publish it to put it in force"
            )
            return Unpublished(version=job.ruleset, sentence=msg)
    return publish(settings, ruleset=None, now=now)


def check_ruleset(path: Path) -> Ruleset:
    """The rule set of a file that can run and does what its examples say, in both engines' SQL.

    RulesetError lists every fault, one in a line.
    """
    ruleset = read_ruleset(path, load_features())
    faults = [explain_failure(path.name, *found) for found in failing_examples(ruleset)]
    if faults:
        raise RulesetError("\n".join(faults))
    compile_rules(ruleset, "flink")
    compile_rules(ruleset, "duckdb")
    return ruleset


def read_published(settings: Settings) -> Published | None:
    """The rule set in force, if any was published; RulesetError if that cannot be read."""
    path = rules_folder(settings) / ACTIVE_FILE
    if not path.is_file():
        return None
    try:
        return Published(**json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        msg = f"{path} does not say which rule set is in force: {error}{ADVICE}"
        raise RulesetError(msg) from error


def published_file(settings: Settings, published: Published) -> Path:
    """The copy of a published rule set."""
    return rules_folder(settings) / published.file


def _read_known(settings: Settings) -> tuple[Published | None, str | None]:
    """What is in force; None and the reason where that cannot be read: publishing mends it."""
    try:
        return read_published(settings), None
    except RulesetError as error:
        return None, f"What was in force is not known: {str(error).removesuffix(ADVICE)}"


def _find(settings: Settings, known: Published) -> Publication:
    path = published_file(settings, known)
    ruleset = read_ruleset(path, load_features())
    return Publication(
        published=known,
        before=known.version,
        ruleset=ruleset,
        difference=describe_difference(ruleset, ruleset),
        path=path,
    )


def _read_version(source: str) -> str | None:
    """None: it cannot be read."""
    try:
        return read_ruleset(find_ruleset(source), load_features()).version
    except RulesetError:
        return None


def _choose(settings: Settings, known: Published | None) -> str:
    if known is not None:
        return known.source
    job = remembered(settings)
    return settings.flink.ruleset if job is None or not job.ruleset_name else job.ruleset_name


def _describe(settings: Settings, known: Published | None, after: Ruleset) -> str:
    if known is None:
        return describe_difference(None, after)
    try:
        before = read_ruleset(published_file(settings, known), load_features())
    except RulesetError as error:
        fault = str(error).splitlines()[0]
        return (
            f"**{after.version}** takes the place of {known.version}, "
            f"which cannot be read any longer: {fault}"
        )
    return describe_difference(before, after)
