"""What differs between the template and an index of it, field by field, and what helps.

Elasticsearch takes new fields and some parameters into an index that is in use. Whatever decides
how a stored document was indexed (a type, an analyzer, the index sort) it does not change: the
documents have to be indexed anew. What somebody has set beside the template stays and is no
difference.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Remedy = Literal["in place", "new index", "by hand"]

CHANGEABLE_PARAMETERS = frozenset(
    {"ignore_above", "ignore_malformed", "coerce", "eager_global_ordinals", "meta", "dynamic"}
)
CHANGEABLE_OF_ALL = frozenset({"dynamic", "_meta", "date_detection", "numeric_detection"})
"""Of the mapping as a whole."""
BUILT_IN_OF_ALL = frozenset({"dynamic", "_source", "_routing"})
CHANGEABLE_SETTINGS = frozenset(
    {
        "index.refresh_interval",
        "index.number_of_replicas",
        "index.auto_expand_replicas",
        "index.max_result_window",
        "index.mapping.total_fields.limit",
        "index.hidden",
        "index.priority",
    }
)
CHANGEABLE_GROUPS = ("index.search.", "index.indexing.", "index.routing.", "index.translog.")
BUILT_IN = ("index.sort.", "index.codec", "index.analysis.")
"""Settings that documents are indexed by: what is no longer asked for is a difference, too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that an index has otherwise than the template."""

    what: str
    """The path of a field, a setting, or what else it is about."""
    text: str
    remedy: Remedy


def compare_mappings(wanted: Mapping[str, Any], stored: Mapping[str, Any]) -> list[Change]:
    """What it takes to make ``stored`` the mapping that is ``wanted``."""
    changes = [
        Change(
            what=name,
            text=_say_value(name, wanted.get(name), stored.get(name)),
            remedy="in place" if name in CHANGEABLE_OF_ALL else "new index",
        )
        for name in sorted((wanted.keys() | stored.keys() & BUILT_IN_OF_ALL) - {"properties"})
        if _plain(wanted.get(name)) != _plain(stored.get(name))
    ]
    fields = compare_fields(wanted.get("properties", {}), stored.get("properties", {}))
    return changes + fields


def compare_fields(
    wanted: Mapping[str, Any], stored: Mapping[str, Any], prefix: str = ""
) -> list[Change]:
    """The same for the fields of an object."""
    changes: list[Change] = []
    for name in [*wanted, *(stored.keys() - wanted.keys())]:
        path = f"{prefix}{name}"
        if name not in stored:
            changes += _added(path, wanted[name])
        elif name not in wanted:
            text = f"{path} ({_type(stored[name])}) is no longer in the template"
            changes.append(Change(what=path, text=text, remedy="new index"))
        else:
            changes += _compare_field(path, wanted[name], stored[name])
    return changes


def compare_settings(wanted: Mapping[str, Any], stored: Mapping[str, Any]) -> list[Change]:
    """The same for settings; ``stored`` is flat, ``wanted`` as the template has it."""
    asked = dict(_flatten(wanted))
    dropped = [name for name in stored if name.startswith(BUILT_IN) and name not in asked]
    return [
        Change(
            what=name,
            text=_say_value(name, asked.get(name), stored.get(name)),
            remedy="in place" if _is_changeable(name) else "new index",
        )
        for name in [*asked, *dropped]
        if _plain(asked.get(name)) != _plain(stored.get(name))
    ]


def pick_fields(wanted: Mapping[str, Any], paths: set[str], prefix: str = "") -> dict[str, Any]:
    """Of the fields of a mapping those at ``paths``, each within its objects."""
    picked: dict[str, Any] = {}
    for name, definition in wanted.items():
        path = f"{prefix}{name}"
        inner = pick_fields(definition.get("properties", {}), paths, f"{path}.")
        if path in paths:
            own = {key: value for key, value in definition.items() if key != "properties"}
            picked[name] = {**own, "properties": inner} if inner else own
        elif inner:
            kind = {"type": definition["type"]} if "type" in definition else {}
            picked[name] = {**kind, "properties": inner}
    return picked


def pick_settings(wanted: Mapping[str, Any], names: set[str]) -> dict[str, Any]:
    """Of the settings of a template those named, flat."""
    return {name: value for name, value in _flatten(wanted) if name in names}


def _added(path: str, definition: Mapping[str, Any]) -> Iterator[Change]:
    if definition.keys() != {"properties"}:
        text = f"{path} ({_type(definition)}) is new"
        yield Change(what=path, text=text, remedy="in place")
    for name, inner in definition.get("properties", {}).items():
        yield from _added(f"{path}.{name}", inner)


def _compare_field(path: str, wanted: Mapping[str, Any], stored: Mapping[str, Any]) -> list[Change]:
    old, new = _type(stored), _type(wanted)
    if old != new:
        return [Change(what=path, text=f"{path} is {old}, shall be {new}", remedy="new index")]
    inside = {"type", "properties", "fields"}
    changes = [
        Change(
            what=path,
            text=f"{path}: {_say_value(name, wanted.get(name), stored.get(name))}",
            remedy="in place" if name in CHANGEABLE_PARAMETERS else "new index",
        )
        for name in sorted((wanted.keys() | stored.keys()) - inside)
        if _plain(wanted.get(name)) != _plain(stored.get(name))
    ]
    # A field is put in place whole, with the fields that it has beside itself, or not at all.
    changes += [
        replace(change, what=path)
        for change in compare_fields(wanted.get("fields", {}), stored.get("fields", {}), f"{path}.")
    ]
    if any(change.remedy == "new index" for change in changes):
        changes = [replace(change, remedy="new index") for change in changes]
    inner = compare_fields(wanted.get("properties", {}), stored.get("properties", {}), f"{path}.")
    return changes + inner


def _type(definition: Mapping[str, Any]) -> str:
    return str(definition.get("type", "object"))


def _say_value(name: str, wanted: object, stored: object) -> str:
    old = "not set" if stored is None else _show(stored)
    new = "not set" if wanted is None else _show(wanted)
    return f"{name} is {old}, shall be {new}"


def _show(value: object) -> str:
    return str(_plain(value))


def _is_changeable(name: str) -> bool:
    return name in CHANGEABLE_SETTINGS or name.startswith(CHANGEABLE_GROUPS)


def _flatten(settings: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in settings.items():
        path = f"{prefix}{name}"
        if isinstance(value, dict):
            yield from _flatten(value, f"{path}.")
        else:
            yield path if path.startswith("index.") else f"index.{path}", value


def _plain(value: object) -> object:
    """As Elasticsearch writes it, who turns numbers and truths into text: ``false``, ``"1"``."""
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return _plain(value[0]) if len(value) == 1 else [_plain(one) for one in value]
    if isinstance(value, bool):
        return str(value).lower()
    return None if value is None else str(value)
