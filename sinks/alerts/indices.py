"""The indices behind the alias: one for each month, some of them built anew.

The sink writes to the plain name of a month. As long as the month was never rebuilt, that is the
index itself; a rebuilt month is an index with a number of its own, and the plain name an alias of
it. A number is never the name of a month that the template covers: so nothing but a rebuild gives
such an index the alias that is searched, and a copy under way is seen by nobody.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from pipelines.errors import TransientError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from elasticsearch import Elasticsearch

WRITE_BLOCK = "index.blocks.write"
_IS_CLOSED = "index.verified_before_close"
_BLOCKS_OF_OTHERS = {
    "index.blocks.read_only": "somebody keeps it from being written to",
    "index.blocks.read_only_allow_delete": "the disk was nearly full; it goes when there is room",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthIndex:
    """The index that holds the alerts of a month."""

    name: str
    """Of the index itself."""
    plain_name: str
    """What the sink writes to."""
    month: date
    """Its first day."""
    number: int
    """1, and one more with each rebuild."""
    aliases: frozenset[str]
    mappings: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Flat: ``index.refresh_interval``."""

    @property
    def is_writable(self) -> bool:
        """Whether documents can be changed, as far as we said so ourselves."""
        return not self._is_set(WRITE_BLOCK)

    @property
    def is_closed(self) -> bool:
        """Whether somebody has closed it (``_close``): no search and no count has its alerts."""
        return self._is_set(_IS_CLOSED)

    def find_blocks_of_others(self) -> dict[str, str]:
        """The settings, not of our making, by which it takes no document; each with a sentence."""
        found = {
            name: f"is closed to writing ({name}): {why}"
            for name, why in _BLOCKS_OF_OTHERS.items()
            if self._is_set(name)
        }
        if self.is_closed:
            found[_IS_CLOSED] = (
                f"is closed, neither read nor written: `POST /{self.name}/_open` opens it"
            )
        return found

    def describe(self) -> str:
        """The name that people know it by."""
        return self.plain_name if self.number == 1 else f"{self.plain_name} ({self.name})"

    def _is_set(self, name: str) -> bool:
        return str(self.settings.get(name, "false")) == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What there is, oldest first."""

    months: tuple[MonthIndex, ...]
    copies: tuple[MonthIndex, ...]
    """Being written, or left over: no search finds them."""
    strays: tuple[MonthIndex, ...]
    """Rebuilt months from which somebody took every alias: not ours to judge."""

    def next_number(self, month: date) -> int:
        """A number that no index of the month has."""
        known = (*self.months, *self.copies, *self.strays)
        return max((one.number for one in known if one.month == month), default=0) + 1


def read_inventory(client: Elasticsearch, alias: str) -> Inventory:
    """The indices of ``alias`` as they are now; raises the client's own errors."""
    found = client.indices.get(
        index=f"{alias}-*", flat_settings=True, allow_no_indices=True, expand_wildcards="all"
    )
    return sort_out(alias, [read_month(alias, name, body) for name, body in found.items()])


def read_closed(client: Elasticsearch, alias: str) -> tuple[MonthIndex, ...]:
    """The months that somebody has closed, oldest first; raises the client's own errors."""
    found = client.indices.get(
        index=f"{alias}-*",
        features=["aliases", "settings"],
        flat_settings=True,
        allow_no_indices=True,
        expand_wildcards="closed",
    )
    return sort_out(alias, [read_month(alias, name, body) for name, body in found.items()]).months


def say_closed(indices: Sequence[str]) -> str:
    """What that means for whoever looks for alerts.

    >>> say_closed(["fraud-alerts-2026.10"])
    'fraud-alerts-2026.10 is closed: its alerts are in no list and no count. `POST \
/fraud-alerts-2026.10/_open` opens it'
    """
    names, are = ", ".join(indices), len(indices) > 1
    return (
        f"{names} {'are' if are else 'is'} closed: {'their' if are else 'its'} alerts are in no "
        f"list and no count. `POST /{','.join(indices)}/_open` opens {'them' if are else 'it'}"
    )


def sort_out(alias: str, indices: Iterable[MonthIndex | None]) -> Inventory:
    """Months, copies and strays apart."""
    known = sorted(
        (one for one in indices if one is not None), key=lambda one: (one.month, one.number)
    )
    months: list[MonthIndex] = []
    copies: list[MonthIndex] = []
    strays: list[MonthIndex] = []
    for one in known:
        if one.number == 1 or one.aliases & {alias, one.plain_name}:
            months.append(one)
        elif one.aliases & {name_token(one.name), name_discard(one.name)}:
            copies.append(one)
        else:
            strays.append(one)
    return Inventory(months=tuple(months), copies=tuple(copies), strays=tuple(strays))


def read_month(alias: str, name: str, body: Mapping[str, Any]) -> MonthIndex | None:
    """An index as Elasticsearch describes it; None if it is none of ``alias``."""
    match = re.fullmatch(
        rf"{re.escape(alias)}-(?:r(?P<number>\d+)\.)?(?P<year>\d{{4}})\.(?P<month>\d\d)", name
    )
    if match is None or not 1 <= int(match["month"]) <= 12 or int(match["year"]) == 0:
        return None
    return MonthIndex(
        name=name,
        plain_name=f"{alias}-{match['year']}.{match['month']}",
        month=date(int(match["year"]), int(match["month"]), 1),
        number=int(match["number"] or 1),
        aliases=frozenset(body.get("aliases", {})),
        mappings=body.get("mappings", {}),
        settings=body.get("settings", {}),
    )


def name_copy(alias: str, month: date, number: int) -> str:
    """The index of a month that is built for the ``number``-th time.

    >>> name_copy("fraud-alerts", date(2026, 11, 1), 2)
    'fraud-alerts-r2.2026.11'
    """
    return f"{alias}-r{number}.{month.year:04d}.{month.month:02d}"


def name_token(copy: str) -> str:
    """The alias that a copy has while it is written: who takes it away, decides what becomes of it.

    >>> name_token("fraud-alerts-r2.2026.11")
    'fraud-alerts-r2.2026.11-in-work'
    """
    return f"{copy}-in-work"


def name_discard(copy: str) -> str:
    """The alias of a copy that is given up: nobody writes to it, and anybody may delete it.

    >>> name_discard("fraud-alerts-r2.2026.11")
    'fraud-alerts-r2.2026.11-given-up'
    """
    return f"{copy}-given-up"


def block_writes(client: Elasticsearch, name: str) -> None:
    """Let no document of ``name`` change any more; what was under way is in when this returns."""
    # A block that is there already would not be waited for.
    allow_writes(client, name)
    answer = client.indices.add_block(index=name, block="write")
    if not (answer["acknowledged"] and answer["shards_acknowledged"]):
        msg = f"{name} could not be closed to writing everywhere in time: try again"
        raise TransientError(msg)


def allow_writes(client: Elasticsearch, name: str) -> None:
    """Take the block away."""
    client.indices.put_settings(index=name, settings={WRITE_BLOCK: None})


def count_documents(
    client: Elasticsearch, name: str, query: Mapping[str, Any] | None = None
) -> int:
    """How many documents of ``name``, or of them what ``query`` finds; exact, or TransientError."""
    client.indices.refresh(index=name)
    answer = client.count(index=name, query=query)
    shards = answer["_shards"]
    if shards["successful"] < shards["total"]:
        msg = f"{shards['total'] - shards['successful']} of {name}'s shards do not answer"
        raise TransientError(msg)
    return int(answer["count"])
