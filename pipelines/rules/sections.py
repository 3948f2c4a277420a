"""Where the sections and keys of a TOML text stand, so that a fault can name its line.

``tomllib`` gives values without places. This reads headers and keys by their shape, line by line,
and passes over texts in three quotes; what is written in one line (``rule = [{...}]``) has the line
of its key.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_HEADER = re.compile(r"\s*\[{1,2}\s*([A-Za-z0-9_.\s-]+?)\s*\]{1,2}\s*(?:#.*)?")
_KEY = re.compile(r"""\s*["']?([A-Za-z0-9_-]+)["']?\s*=\s*(.*)""")
_LONG_QUOTES = ('"""', "'''")


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One section: its name, its line, and the line of each key in it."""

    name: str
    line: int
    keys: dict[str, int] = field(default_factory=dict)

    def line_of(self, key: str) -> int:
        """The line of a key; that of the section where it is not set."""
        return self.keys.get(key, self.line)


def find_sections(text: str) -> list[Section]:
    """The sections of a text in their order; the first one, without a name, is the file itself."""
    sections = [Section(name="", line=1)]
    open_quote: str | None = None
    for number, line in enumerate(text.splitlines(), 1):
        if open_quote is not None:
            open_quote = None if open_quote in line else open_quote
        elif (header := _HEADER.fullmatch(line)) is not None:
            sections.append(Section(name=header.group(1).replace(" ", ""), line=number))
        elif (key := _KEY.fullmatch(line)) is not None:
            sections[-1].keys.setdefault(key.group(1), number)
            value = key.group(2)
            open_quote = next(
                (q for q in _LONG_QUOTES if value.startswith(q) and q not in value[3:]), None
            )
    return sections


def rule_sections(sections: list[Section], count: int) -> list[tuple[Section, list[Section]]]:
    """For each of ``count`` rules its section and those of its examples."""
    found: list[tuple[Section, list[Section]]] = []
    for section in sections:
        if section.name == "rule":
            found.append((section, []))
        elif section.name == "rule.example" and found:
            found[-1][1].append(section)
    inline = Section(name="rule", line=sections[0].line_of("rule"))
    return found if len(found) == count else [(inline, [])] * count
