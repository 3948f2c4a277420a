"""Bringing Kibana to what the code says, and saying where it differs.

What Kibana fills in by itself (defaults, versions, who and when) is no difference: everything that
we declare must stand there with our value, and lists must be as long as ours. What people decide in
Kibana stays theirs: whether a rule is enabled, and whom it calls.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, assert_never
from urllib.parse import quote

from pipelines.errors import TransientError
from sinks.dashboards.kibana import Kibana, KibanaConflict

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sinks.dashboards.catalog import Artifact
    from sinks.dashboards.fields import Json

Change = Literal["created", "updated", "unchanged"]
TRIES = 3
"""How often an object that others change meanwhile is looked at again."""

_THEIRS = frozenset({"enabled", "actions"})
_FIXED = frozenset({"rule_type_id", "consumer", "enabled"})
"""Of a rule: set when it is made, and refused afterwards."""
_KEPT = ("alert_delay", "flapping", "notify_when", "throttle")
"""Of a rule: what an update would forget if it did not say it again."""
_ACTION_FIELDS = frozenset(
    {
        "id",
        "uuid",
        "group",
        "params",
        "frequency",
        "alerts_filter",
        "use_alert_data_for_template",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """One artifact, and where Kibana differs from it."""

    artifact: Artifact
    is_missing: bool
    differences: tuple[str, ...] = ()

    @property
    def is_settled(self) -> bool:
        """Nothing is to be done."""
        return not self.is_missing and not self.differences


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one artifact."""

    artifact: Artifact
    change: Change


def compare(kibana: Kibana, wanted: Sequence[Artifact]) -> Iterator[Comparison]:
    """Each artifact beside what Kibana has."""
    for artifact in wanted:
        yield _compare(artifact, _read(kibana, artifact))


def apply(
    kibana: Kibana, wanted: Sequence[Artifact], *, only_missing: bool = False
) -> Iterator[Outcome]:
    """Put each artifact there, in order; one that stands there as it should is not touched.

    With ``only_missing`` none that stands there is, whoever has changed it. Stopped between any two
    of them, the next call goes on.
    """
    for artifact in wanted:
        change = _settle(kibana, artifact, only_missing=only_missing)
        yield Outcome(artifact=artifact, change=change)


def find_differences(wanted: object, stored: object, path: str = "") -> Iterator[str]:
    """Where ``stored`` is not what is ``wanted``, as sentences.

    >>> list(find_differences({"a": [1, 2]}, {"a": [1, 3], "b": "a default"}))
    ['a[1] is 3, not 2']
    """
    if isinstance(wanted, dict) and isinstance(stored, dict):
        for name, value in wanted.items():
            inner = f"{path}.{name}" if path else name
            if name in stored:
                yield from find_differences(value, stored[name], inner)
            elif value != []:
                yield f"{inner} is missing"
    elif isinstance(wanted, list) and isinstance(stored, list):
        if len(wanted) != len(stored):
            yield f"{path} has {len(stored)} entries, not {len(wanted)}"
            return
        for at, (one, other) in enumerate(zip(wanted, stored, strict=True)):
            yield from find_differences(one, other, f"{path}[{at}]")
    elif wanted != stored:
        yield f"{path} is {stored!r}, not {wanted!r}"


def _settle(kibana: Kibana, artifact: Artifact, *, only_missing: bool) -> Change:
    reason = ""
    for _ in range(TRIES):
        stored = _read(kibana, artifact)
        found = _compare(artifact, stored)
        if found.is_settled or (only_missing and not found.is_missing):
            return "unchanged"
        try:
            _write(kibana, artifact, stored)
        except KibanaConflict as conflict:
            reason = str(conflict)
            continue
        return "created" if found.is_missing else "updated"
    msg = f"{artifact.kind} {artifact.title} was not settled in {TRIES} tries; the last: {reason}"
    raise TransientError(msg)


def _compare(artifact: Artifact, stored: Mapping[str, Any] | None) -> Comparison:
    if stored is None:
        return Comparison(artifact=artifact, is_missing=True)
    ours = artifact.body
    if artifact.kind == "rule":
        ours = {name: value for name, value in ours.items() if name not in _THEIRS}
    differences = tuple(find_differences(ours, dict(stored)))
    return Comparison(artifact=artifact, is_missing=False, differences=differences)


def _read(kibana: Kibana, artifact: Artifact) -> Mapping[str, Any] | None:
    """What Kibana has under the artifact's id, without what the API wraps around it."""
    answer = kibana.read(_path(artifact))
    if answer is None:
        return None
    inside = {"data view": "data_view", "dashboard": "data", "rule": None}[artifact.kind]
    content: Any = answer if inside is None else answer.get(inside, {})
    return dict(content)


def _write(kibana: Kibana, artifact: Artifact, stored: Mapping[str, Any] | None) -> None:
    path, body = _path(artifact), artifact.body
    match artifact.kind:
        case "dashboard":
            kibana.write("PUT", path, body)
        case "data view" if stored is None:
            kibana.write("POST", "/api/data_views/data_view", {"data_view": body})
        case "data view":
            changed = {name: value for name, value in body.items() if name != "id"}
            kibana.write("POST", path, {"data_view": changed})
        case "rule" if stored is None:
            kibana.write("POST", path, body)
        case "rule":
            kibana.write("PUT", path, _update_of(body, stored))
        case _:
            assert_never(artifact.kind)


def _update_of(body: Json, stored: Mapping[str, Any]) -> Json:
    """Our rule, with what people have set in Kibana."""
    ours = {name: value for name, value in body.items() if name not in _FIXED}
    kept = {name: stored[name] for name in _KEPT if stored.get(name) is not None}
    actions = [
        {name: value for name, value in action.items() if name in _ACTION_FIELDS}
        for action in stored.get("actions", [])
    ]
    return {**ours, **kept, "actions": actions}


def _path(artifact: Artifact) -> str:
    folder = {
        "data view": "/api/data_views/data_view",
        "dashboard": "/api/dashboards",
        "rule": "/api/alerting/rule",
    }[artifact.kind]
    return f"{folder}/{quote(artifact.id, safe='')}"
