"""Reads the fields of one record, each strictly by its kind.

The first fault found is the one reported, so the order in which a parser asks for fields is part of
its contract: required fields in the order of the JSON Schema, then the optional ones.
Booleans are not numbers; null counts as absent.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from pipelines.contracts.faults import ContractFault, FaultReason
from pipelines.contracts.json_text import json_type, read_object
from pipelines.contracts.times import parse_time

if TYPE_CHECKING:
    from collections.abc import Collection

LONGEST_TEXT = 256
HASH = re.compile(r"[0-9a-f]{32}")
COUNTRY = re.compile(r"[A-Z]{2}")
CURRENCY = re.compile(r"[A-Z]{3}")
CATEGORY = re.compile(r"[0-9]{4}")
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
"""Characters that nobody sees: in an id, one that looks like another's."""


class Fields:
    """The members of one JSON object; each method reads one and raises ContractFault.

    ``path`` is put before field names in sentences, for objects inside objects.
    """

    __slots__ = ("_path", "members")

    def __init__(self, members: dict[str, Any], *, path: str = "") -> None:
        self.members = members
        self._path = path

    @classmethod
    def read(cls, value: bytes | None) -> Fields:
        """The fields of a record's value."""
        return cls(read_object(value))

    def rest(self, known: Collection[str]) -> dict[str, Any]:
        """The members the contract does not know, to be carried through."""
        return {name: value for name, value in self.members.items() if name not in known}

    def text(self, name: str, *, at_least: int = 1) -> str:
        """A required string of ``at_least`` to 256 characters."""
        value = self._typed(name, self._present(name), str, "a string")
        return self._sized(name, value, at_least)

    def text_or_none(self, name: str) -> str | None:
        """An optional string of up to 256 characters."""
        value = self._optional(name, str, "a string")
        return None if value is None else self._sized(name, value, 0)

    def long_text(self, name: str) -> str:
        """A required string of any length."""
        value: str = self._typed(name, self._present(name), str, "a string")
        return value

    def code(self, name: str, pattern: re.Pattern[str], shape: str) -> str:
        """A required string that is as a whole of the ``pattern``; ``shape`` says it in words."""
        value = self._typed(name, self._present(name), str, "a string")
        return self._shaped(name, value, pattern, shape)

    def code_or_none(self, name: str, pattern: re.Pattern[str], shape: str) -> str | None:
        """The optional form of ``code``."""
        value = self._optional(name, str, "a string")
        return None if value is None else self._shaped(name, value, pattern, shape)

    def choice(self, name: str, allowed: Collection[str]) -> str:
        """A required string of a closed set."""
        value = self._typed(name, self._present(name), str, "a string")
        return self._allowed(name, value, allowed)

    def choice_or_none(self, name: str, allowed: Collection[str]) -> str | None:
        """The optional form of ``choice``."""
        value = self._optional(name, str, "a string")
        return None if value is None else self._allowed(name, value, allowed)

    def number(self, name: str, *, least: int | None = None, most: int | None = None) -> Decimal:
        """A required number from ``least`` to ``most``, with every digit it was written with."""
        value = self._typed(name, self._present(name), (int, Decimal), "a number")
        return self._limited(name, Decimal(value), least, most)

    def float_or_none(
        self, name: str, *, least: int | None = None, most: int | None = None
    ) -> float | None:
        """An optional number from ``least`` to ``most``, as a double."""
        value = self._optional(name, (int, Decimal), "a number")
        return None if value is None else float(self._limited(name, Decimal(value), least, most))

    def integer(self, name: str, *, least: int | None = None) -> int:
        """A required whole number."""
        value = self._typed(name, self._present(name), int, "a whole number")
        return int(self._limited(name, Decimal(value), least, None))

    def integer_or_none(self, name: str) -> int | None:
        """An optional whole number."""
        value: int | None = self._optional(name, int, "a whole number")
        return value

    def boolean(self, name: str) -> bool:
        """A required true or false."""
        value: bool = self._typed(name, self._present(name), bool, "true or false")
        return value

    def time(self, name: str) -> int:
        """A required time, in milliseconds since 1970."""
        value = self._typed(name, self._present(name), str, "a string")
        try:
            return parse_time(value)
        except ValueError as error:
            msg = (
                f"{self._path}{name} is {_shown(value)} ({error}) - "
                "must be like 2026-03-01T12:00:00.123Z, in UTC, of the years 1970 to 9999"
            )
            raise ContractFault(FaultReason.BAD_TIME, msg) from error

    def inner(self, name: str) -> Fields:
        """A required object, as fields of its own."""
        value = self._typed(name, self._present(name), dict, "an object")
        return Fields(value, path=f"{self._path}{name}.")

    def elements(self, name: str) -> list[Any]:
        """A required array."""
        value: list[Any] = self._typed(name, self._present(name), list, "an array")
        return value

    def _present(self, name: str) -> Any:
        value = self.members.get(name)
        if value is None:
            found = "null" if name in self.members else "missing"
            msg = f"{self._path}{name} is {found} - it is required"
            raise ContractFault(FaultReason.MISSING_FIELD, msg)
        return value

    def _optional(self, name: str, kind: Any, words: str) -> Any:
        value = self.members.get(name)
        return None if value is None else self._typed(name, value, kind, words)

    def _typed(self, name: str, value: Any, kind: Any, words: str) -> Any:
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            msg = f"{self._path}{name} is {json_type(value)} - must be {words}"
            raise ContractFault(FaultReason.WRONG_TYPE, msg)
        return value

    def _sized(self, name: str, value: str, at_least: int) -> str:
        if not at_least <= len(value) <= LONGEST_TEXT:
            msg = (
                f"{self._path}{name} has {len(value)} characters - "
                f"must have {at_least} to {LONGEST_TEXT}"
            )
            raise ContractFault(FaultReason.BAD_FORMAT, msg)
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            msg = f"{self._path}{name} holds half a surrogate pair - must be Unicode text"
            raise ContractFault(FaultReason.BAD_FORMAT, msg)
        if CONTROL.search(value) is not None:
            msg = f"{self._path}{name} is {_shown(value)} - must be without control characters"
            raise ContractFault(FaultReason.BAD_FORMAT, msg)
        return value

    def _shaped(self, name: str, value: str, pattern: re.Pattern[str], shape: str) -> str:
        if pattern.fullmatch(value) is None:
            msg = f"{self._path}{name} is {_shown(value)} - must be {shape}"
            raise ContractFault(FaultReason.BAD_FORMAT, msg)
        return value

    def _allowed(self, name: str, value: str, allowed: Collection[str]) -> str:
        if value not in allowed:
            msg = f"{self._path}{name} is {_shown(value)} - must be one of {', '.join(allowed)}"
            raise ContractFault(FaultReason.UNKNOWN_VALUE, msg)
        return value

    def _limited(self, name: str, value: Decimal, least: int | None, most: int | None) -> Decimal:
        if (least is not None and value < least) or (most is not None and value > most):
            limits = f"at least {least}" if most is None else f"{least} to {most}"
            msg = f"{self._path}{name} is {_shown(str(value), quoted=False)} - must be {limits}"
            raise ContractFault(FaultReason.OUT_OF_RANGE, msg)
        return value


def _shown(value: str, *, quoted: bool = True) -> str:
    cut = value if len(value) <= 40 else f"{value[:40]}..."
    return ascii(cut) if quoted else cut
