"""What differs between the code and the cluster: template, alias, each month's index."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from sinks.alerts.client import connect, translate_errors
from sinks.alerts.indices import WRITE_BLOCK, Inventory, MonthIndex, read_inventory
from sinks.alerts.mapping import Remedy, compare_mappings, compare_settings
from sinks.alerts.template import StoredTemplate, build_template, read_stored

if TYPE_CHECKING:
    from collections.abc import Mapping

    from elasticsearch import Elasticsearch

    from pipelines.settings import Settings

About = Literal["template", "alias", "mapping", "settings", "block", "copy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that ``apply`` would change."""

    index: str
    """The index itself, or the template."""
    about: About
    what: str
    """The path of a field, a setting, an alias."""
    text: str
    """In words."""
    remedy: Remedy


def read_differences(settings: Settings) -> list[Difference]:
    """Everything that is not as the code has it; nothing is changed.

    TransientError when Elasticsearch is away, SinkError when it refuses.
    """
    with connect(settings.elasticsearch) as client, translate_errors(settings.elasticsearch):
        return find_differences(client, settings.elasticsearch.index)


def find_differences(client: Elasticsearch, alias: str) -> list[Difference]:
    """As ``read_differences``, with a client at hand; raises the client's own errors."""
    wanted = build_template(alias)
    stored = read_stored(client, alias)
    found = compare_template(alias, wanted["_meta"], stored)
    return found + compare_inventory(alias, wanted["template"], read_inventory(client, alias))


def compare_template(
    alias: str, wanted: Mapping[str, Any], stored: StoredTemplate | None
) -> list[Difference]:
    """Missing, another one, or one of a later release; ``wanted`` is what ours says of itself."""
    remedy: Remedy = "in place"
    if stored is None:
        text = "template is missing"
    elif stored.is_newer:
        remedy = "by hand"
        text = (
            f"template has schema version {stored.schema_version}, this release has "
            f"{wanted['schema_version']}: a later release put it there; run that one"
        )
    elif stored.digest != wanted["digest"]:
        text = "template is not that of this release"
    else:
        return []
    return [Difference(index=alias, about="template", what=alias, text=text, remedy=remedy)]


def compare_inventory(
    alias: str, template: dict[str, Any], inventory: Inventory
) -> list[Difference]:
    """Of all months, and of copies that nobody finished."""
    found: list[Difference] = []
    for month in inventory.months:
        found += _compare_month(alias, template, month)
    for copy in inventory.copies:
        text = f"is a copy of {copy.plain_name} that was not finished, or is being made now"
        found.append(_about(copy, "copy", copy.name, text))
    for stray in inventory.strays:
        text = f"was {stray.plain_name}, and has no alias: give it back its aliases, or delete it"
        found.append(_about(stray, "copy", stray.name, text, "by hand"))
    return found


def _compare_month(alias: str, template: dict[str, Any], month: MonthIndex) -> list[Difference]:
    found: list[Difference] = []
    if alias not in month.aliases:
        found.append(_about(month, "alias", alias, f"alias {alias} is missing: no search finds it"))
    if month.number > 1 and month.plain_name not in month.aliases:
        text = f"alias {month.plain_name} is missing: the sink does not write to it"
        found.append(_about(month, "alias", month.plain_name, text))
    if not month.is_writable:
        text = f"is closed to writing ({WRITE_BLOCK})"
        found.append(_about(month, "block", WRITE_BLOCK, text))
    for name, text in month.find_blocks_of_others().items():
        found.append(_about(month, "block", name, text, "by hand"))
    for change in compare_mappings(template["mappings"], month.mappings):
        found.append(_about(month, "mapping", change.what, change.text, change.remedy))
    for change in compare_settings(template["settings"], month.settings):
        found.append(_about(month, "settings", change.what, change.text, change.remedy))
    return found


def _about(
    month: MonthIndex, about: About, what: str, text: str, remedy: Remedy = "in place"
) -> Difference:
    return Difference(index=month.name, about=about, what=what, text=text, remedy=remedy)
