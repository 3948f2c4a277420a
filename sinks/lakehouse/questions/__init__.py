"""Ready questions: one ``.sql`` file each, with its purpose and parameters in the first lines.

::

    -- Merchants where most money was flagged.
    -- $days integer = 30  How many days back from the newest decision.
    SELECT ...

Parameters are bound, never formatted. Days are counted from the newest decision, not from today: a
history that was replayed has its own today.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

from pipelines.errors import TerminalError
from pipelines.hints import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

ParameterType = Literal["integer", "number", "text", "time"]
_LARGEST = 100_000
"""Days back from now that still have a date."""
_PARAMETER = re.compile(
    r"-- \$(?P<name>[a-z_]+) (?P<type>integer|number|text|time)"
    r"(?: = (?P<default>\S+))?  (?P<about>.+)"
)


def _to_time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _to_integer(text: str) -> int:
    value = int(text)
    if not 0 <= value <= _LARGEST:
        raise ValueError(text)
    return value


def _to_number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


_CONVERT: dict[str, Callable[[str], Any]] = {
    "integer": _to_integer,
    "number": _to_number,
    "text": str,
    "time": _to_time,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """One value that a question takes."""

    name: str
    type: ParameterType
    default: str | None
    """As it is written; None: it must be given."""
    about: str

    def convert(self, text: str) -> Any:
        """The value; TerminalError if the text is none of this type."""
        try:
            return _CONVERT[self.type](text)
        except ValueError as error:
            msg = f"{self.name}={text}: must be {_ALLOWED[self.type]}. {self.about}"
            raise TerminalError(msg) from error


_ALLOWED: dict[str, str] = {
    "integer": f"a whole number from 0 to {_LARGEST}",
    "number": "a number",
    "text": "a text",
    "time": "a time like 2026-03-01T12:00",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A ready question."""

    name: str
    purpose: str
    parameters: tuple[Parameter, ...]
    sql: str

    def bind(self, given: Mapping[str, str]) -> dict[str, Any]:
        """The values to bind; TerminalError for a name it does not take, or one that is missing."""
        known = {one.name: one for one in self.parameters}
        for name in given:
            if name not in known:
                msg = f"{self.name} takes no {name}{did_you_mean(name, known)}"
                raise TerminalError(msg)
        values = {}
        for name, parameter in known.items():
            text = given.get(name, parameter.default)
            if text is None:
                msg = f"{self.name} needs {name}: --set {name}=... {parameter.about}"
                raise TerminalError(msg)
            values[name] = parameter.convert(text)
        return values


def ready_questions() -> list[Question]:
    """All of them, by name."""
    folder = resources.files(__package__)
    files = sorted((one for one in folder.iterdir() if one.name.endswith(".sql")), key=_name)
    return [read_question(_name(one), one.read_text(encoding="utf-8")) for one in files]


def find_question(name: str) -> Question:
    """The question of that name, or TerminalError that names those there are."""
    known = {one.name: one for one in ready_questions()}
    if name not in known:
        msg = f"there is no ready question {name}{did_you_mean(name, known)}"
        raise TerminalError(msg)
    return known[name]


def read_question(name: str, text: str) -> Question:
    """A question as it stands in its file."""
    purpose, *rest = text.splitlines()
    return Question(
        name=name,
        purpose=purpose.removeprefix("-- "),
        parameters=tuple(_read_parameters(rest)),
        sql=text,
    )


def _read_parameters(lines: Iterable[str]) -> Iterable[Parameter]:
    for line in lines:
        found = _PARAMETER.fullmatch(line)
        if found is None:
            return
        yield Parameter(
            name=found["name"],
            type=found["type"],  # type: ignore[arg-type]  # the pattern knows no other
            default=found["default"],
            about=found["about"],
        )


def _name(file: Any) -> str:
    return str(file.name).removesuffix(".sql")
