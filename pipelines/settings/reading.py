"""Files and environment into sections; what is wrong is collected, not raised."""

from __future__ import annotations

import tomllib
import typing
from dataclasses import fields
from typing import Any, TypeVar

from pipelines.hints import did_you_mean
from pipelines.settings.secret import Secret
from pipelines.settings.sections import SECTIONS

if typing.TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

CONFIG_VARIABLE = "FRAUDLAKE_CONFIG"
CONFIG_FILE = "fraudlake.toml"
_Section = TypeVar("_Section")


def read_config(
    folder: Path, environ: Mapping[str, str], faults: list[str]
) -> dict[str, dict[str, Any]]:
    """What the file in ``folder`` says, or the file that the environment names."""
    named = environ.get(CONFIG_VARIABLE)
    if named is None:
        return read_toml(folder / CONFIG_FILE, faults)
    path = folder / named
    if not path.is_file():
        faults.append(f"{CONFIG_VARIABLE}={named}: no such file")
    return read_toml(path, faults)


def read_toml(path: Path, faults: list[str]) -> dict[str, dict[str, Any]]:
    """The sections of a file; nothing where there is no file."""
    if not path.is_file():
        return {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        faults.append(f"{path} is not TOML: {error}")
        return {}
    tables = {name: value for name, value in content.items() if isinstance(value, dict)}
    faults += [f"{path}: {name} must stand in a section" for name in content.keys() - tables.keys()]
    return tables


def read_section(
    kind: type[_Section],
    endpoints: Mapping[str, Mapping[str, Any]],
    config: Mapping[str, Mapping[str, Any]],
    environ: Mapping[str, str],
    faults: list[str],
) -> _Section:
    """One section: of the three sources the last that says something counts."""
    section: str = kind.section  # type: ignore[attr-defined]
    types = typing.get_type_hints(kind)
    values: dict[str, Any] = {}
    for item in fields(kind):  # type: ignore[arg-type]
        variable = f"FRAUDLAKE_{section}_{item.name}".upper()
        raw: Any = None
        for source, found in (
            (f"endpoints {section}.{item.name}", endpoints.get(section, {}).get(item.name)),
            (f"{section}.{item.name}", config.get(section, {}).get(item.name)),
            (variable, environ.get(variable)),
        ):
            if found is not None:
                origin, raw = source, found
        if raw is None:
            continue
        try:
            values[item.name] = _convert(types[item.name], raw)
        except ValueError as error:
            shown = "***" if types[item.name] is Secret else repr(raw)
            faults.append(f"{origin}={shown}: {error}")
    return kind(**values)


def find_unknown_names(
    config: Mapping[str, Mapping[str, Any]], environ: Mapping[str, str]
) -> list[str]:
    """Sections and settings that nobody asks for, each with the name that was meant."""
    known = {kind.section: {item.name for item in fields(kind)} for kind in SECTIONS}  # type: ignore[attr-defined]
    faults = [
        f"{CONFIG_FILE}: unknown section [{section}]{did_you_mean(section, set(known))}"
        for section in config
        if section not in known
    ]
    faults += [
        f"{CONFIG_FILE}: unknown setting {section}.{name}{did_you_mean(name, known[section])}"
        for section, table in config.items()
        for name in table
        if section in known and name not in known[section]
    ]
    variables = {
        f"FRAUDLAKE_{section}_{name}".upper() for section, names in known.items() for name in names
    }
    prefixes = tuple(f"FRAUDLAKE_{section.upper()}_" for section in known)
    faults += [
        f"unknown variable {name}{did_you_mean(name, variables)}"
        for name in environ
        if name.startswith(prefixes) and name not in variables
    ]
    return faults


def _convert(wanted: Any, raw: Any) -> Any:
    """``raw``, a TOML value or text from the environment, as the field's type."""
    if typing.get_origin(wanted) is typing.Literal:
        allowed = typing.get_args(wanted)
        if raw not in allowed:
            msg = f"must be one of {', '.join(allowed)}"
            raise ValueError(msg)
        return raw
    if wanted is bool:
        known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if str(raw).lower() not in known:
            msg = "must be true or false"
            raise ValueError(msg)
        return known[str(raw).lower()]
    if wanted in (int, float):
        return _convert_number(wanted, raw)
    return wanted(raw)


def _convert_number(wanted: type, raw: Any) -> Any:
    try:
        number = wanted(raw)
    except (TypeError, ValueError) as error:
        msg = f"must be a number ({wanted.__name__})"
        raise ValueError(msg) from error
    if number <= 0:
        msg = "must be above 0"
        raise ValueError(msg)
    return number
