"""Bring the cluster in step with the code: template, alias, the indices of the months."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from random import Random
from typing import TYPE_CHECKING, Any

from pipelines.errors import SinkError
from sinks.alerts.client import connect, translate_errors
from sinks.alerts.differences import Difference, find_differences
from sinks.alerts.indices import Inventory, MonthIndex, allow_writes, read_inventory, say_closed
from sinks.alerts.mapping import pick_fields, pick_settings
from sinks.alerts.rebuild import Rebuilt, Step, discard_copies, rebuild_month
from sinks.alerts.template import build_template, put_template, read_stored, refuse_newer

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings


@dataclass(slots=True, kw_only=True)
class Applied:
    """What was done, and what was left."""

    done: list[Difference] = field(default_factory=list)
    rebuilt: list[Rebuilt] = field(default_factory=list)
    left: list[Difference] = field(default_factory=list)
    """What needs a new index, or a person."""


def apply_index(
    settings: Settings,
    *,
    reindex: bool,
    months: Collection[str] = (),
    on_step: Callable[[MonthIndex, Step], None] = lambda *_: None,
    confirm: Callable[[], None] = lambda: None,
) -> Applied:
    """Put in place what can be; with ``reindex`` also build anew the months that need it.

    ``months``, such as ``2026.11``, are built anew in any case: their documents are then found by
    fields that the mapping did not have when they were written.

    Safe while the sink writes and people work on cases; run one at a time: ``confirm`` is called
    before each step that cannot be taken back, and raises when another is at work
    (``index_lock``). After a crash, running it again goes on. TransientError when Elasticsearch is
    away or busy, SinkError when it refuses or a later release was here.
    """
    alias = settings.elasticsearch.index
    applied = Applied()
    with (
        connect(settings.elasticsearch, exact=True) as client,
        translate_errors(settings.elasticsearch),
    ):
        # Before anything else: an older release changes nothing back.
        refuse_newer(read_stored(client, alias), alias)
        before = read_inventory(client, alias)
        names = {_find_month(before, alias, month).name for month in months}
        found = find_differences(client, alias)
        confirm()
        discard_copies(client, alias)
        put_template(client, settings.elasticsearch)
        for month in before.months:
            mine = [one for one in found if one.index == month.name]
            confirm()
            _put_in_place(client, alias, month, mine)
        applied.done = [one for one in found if one.remedy == "in place"]
        applied.left = [one for one in found if one.remedy != "in place"]
        if reindex:
            # Nobody can read a month that is closed: it is among what is left, by hand.
            closed = {month.name for month in before.months if month.is_closed}
            names |= {one.index for one in applied.left if one.remedy == "new index"} - closed
        if names:
            applied.rebuilt = _rebuild(
                client, alias, before, names, on_step=on_step, confirm=confirm
            )
            applied.left = find_differences(client, alias)
    return applied


def _find_month(inventory: Inventory, alias: str, month: str) -> MonthIndex:
    for one in inventory.months:
        if one.plain_name == f"{alias}-{month}":
            if one.is_closed:
                msg = f"{say_closed([one.name])}; then it can be built anew"
                raise SinkError(msg)
            return one
    known = ", ".join(one.plain_name.removeprefix(f"{alias}-") for one in inventory.months)
    msg = f"there is no month {month} behind {alias}; there are: {known or 'none'}"
    raise SinkError(msg)


def _rebuild(
    client: Elasticsearch,
    alias: str,
    before: Inventory,
    names: set[str],
    *,
    on_step: Callable[[MonthIndex, Step], None],
    confirm: Callable[[], None],
) -> list[Rebuilt]:
    rng = Random()
    return [
        rebuild_month(
            client,
            alias,
            month,
            # Not that of a copy that was discarded a moment ago either.
            number=before.next_number(month.month),
            rng=rng,
            on_step=partial(on_step, month),
            confirm=confirm,
        )
        for month in before.months
        if month.name in names
    ]


def _put_in_place(
    client: Elasticsearch, alias: str, month: MonthIndex, differences: Sequence[Difference]
) -> None:
    parts = build_template(alias)["template"]
    small = [one for one in differences if one.remedy == "in place"]
    paths = {one.what for one in small if one.about == "mapping"}
    names = {one.what for one in small if one.about == "settings"}
    for one in small:
        if one.about == "alias":
            # Only the plain name of a rebuilt month is written to.
            writes = True if one.what == month.plain_name else None
            client.indices.put_alias(index=month.name, name=one.what, is_write_index=writes)
        if one.about == "block":
            allow_writes(client, month.name)
    if names:
        wanted = pick_settings(parts["settings"], names)
        client.indices.put_settings(index=month.name, settings=wanted)
    if paths:
        client.indices.put_mapping(index=month.name, **_mapping(parts["mappings"], paths))


def _mapping(wanted: dict[str, Any], paths: set[str]) -> dict[str, Any]:
    """The part of the mapping at ``paths``, as arguments of the client."""
    whole = {name: wanted[name] for name in wanted.keys() & paths if name != "properties"}
    if "_meta" in whole:
        whole["meta"] = whole.pop("_meta")
    fields = pick_fields(wanted["properties"], paths)
    return {**whole, "properties": fields} if fields else whole
