"""Tables that can hold what a rule set computes: brought up before its job runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipelines.errors import FeaturesError, TransientError
from pipelines.features import load_features
from pipelines.rules import load_ruleset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pipelines.settings import Settings
    from sinks.lakehouse.schema import Change


def apply_tables(settings: Settings, *, ruleset: str, more: Iterable[str] = ()) -> list[Change]:
    """Make or bring up the tables for a rule set, and the features in ``more``; what was done.

    SinkError where another tool has changed a table so that this would lose data; TransientError
    where the catalog does not answer.
    """
    from sinks.lakehouse.catalog import open_catalog
    from sinks.lakehouse.schema import apply_changes

    features = features_of(ruleset, more)
    with open_catalog(settings) as catalog:
        return apply_changes(catalog, settings.lakehouse, features)


def bring_up_tables(
    settings: Settings,
    *,
    ruleset: str,
    say: Callable[[str], None],
    warn: Callable[[str], None],
) -> None:
    """``apply_tables`` as a step of a deployment, which tells ``say`` what was done.

    A lake that is away keeps no job from deciding: what its tables lack waits in Kafka, of which
    ``warn`` is told. SinkError as by ``apply_tables``.
    """
    try:
        changes = apply_tables(settings, ruleset=ruleset)
    except TransientError as error:
        warn(
            f"the tables were not brought up: {error}. The lakehouse sink waits where they lack "
            f"something, until `fraudlake lake apply --ruleset {ruleset}`"
        )
        return
    for change in changes:
        say(describe(change))


def plan_tables(settings: Settings, *, ruleset: str, more: Iterable[str] = ()) -> list[Change]:
    """What ``apply_tables`` would do; nothing is made, not even the catalog."""
    from sinks.lakehouse.catalog import find_catalog
    from sinks.lakehouse.schema import plan_changes, plan_everything

    features = features_of(ruleset, more)
    with find_catalog(settings) as catalog:
        if catalog is None:
            return plan_everything(settings.lakehouse)
        return plan_changes(catalog, settings.lakehouse, features)


def features_of(ruleset: str, more: Iterable[str] = ()) -> dict[str, str]:
    """The features that a rule set's job computes, and others, with what they mean.

    RulesetError for a faulty rule set, FeaturesError for a name that no feature can have.
    """
    from sinks.lakehouse.tables import FEATURE_NAME

    declared = load_features()
    stages = declared.select(load_ruleset(ruleset, declared).columns)
    found = {one.name: one.about for stage in stages for one in stage.features}
    abouts = {one.name: one.about for one in declared.features}
    for name in more:
        if FEATURE_NAME.fullmatch(name) is None:
            msg = f"{name!r} cannot be a feature's name: lower case letters, digits and _"
            raise FeaturesError(msg)
        found.setdefault(name, abouts.get(name, ""))
    return found


def describe(change: Change) -> str:
    """A change in words."""
    return f"{change.table}: {_what(change)}"


def _what(change: Change) -> str:
    if change.members:
        return f"features are added: {', '.join(change.members)}"
    return {
        "create": change.value,
        "add": f"column {change.name} is added ({change.type}): {change.value}",
        "widen": f"column {change.name} becomes {change.value}",
        "describe": f"column {change.name} is described: {change.value}",
        "sort": f"compaction sorts by {change.value}",
        "set": f"{change.name} = {change.value}",
    }[change.kind]
