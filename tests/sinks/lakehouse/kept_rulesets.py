"""Rule sets that came into use in a home, and what the table then has of them."""

from __future__ import annotations

import dataclasses
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.features import load_features
from pipelines.kept_rules import keep
from pipelines.rules import read_ruleset
from pipelines.settings import StackSettings
from sinks.lakehouse.rulesets import record_rulesets

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pyiceberg.catalog import Catalog

    from pipelines.kept_rules import Origin
    from pipelines.settings import Settings
    from sinks.lakehouse.rulesets import Recorded

ARRIVED = datetime(2026, 3, 1, 12, tzinfo=UTC)
RECORDED = datetime(2026, 3, 1, 13, tzinfo=UTC)
TEXT = """# With a weight of {weight}.
[ruleset]
id = "mine"
description = "Two rules"
combine = "sum"
review_at = 1.5
block_at = 3

[[rule]]
id = "big"
owner = "risk"
state = "active"
weight = {weight}
when = "base_amount > 200"
because = "{{base_amount:.2f}} spent"

[[rule]]
id = "odd"
description = "Seen before"
owner = "web"
state = "shadow"
weight = 1
when = "amount < 1"
because = "small"
"""
FEATURES = load_features()


def keep_one(settings: Settings, weight: int, *, origin: Origin = "published") -> str:
    """Keep the rule set whose first rule has this weight; its version."""
    settings.stack.home.mkdir(parents=True, exist_ok=True)
    source = settings.stack.home / "mine.toml"
    source.write_text(TEXT.format(weight=weight))
    ruleset = read_ruleset(source, FEATURES)
    keep(
        settings,
        ruleset,
        source.read_text(),
        source="mine.toml",
        origin=origin,
        now=ARRIVED,
    )
    return ruleset.version


def record(settings: Settings) -> Recorded:
    return record_rulesets(settings, now=RECORDED)


def record_at_once(homes: Sequence[Settings]) -> list[Recorded]:
    """What each has recorded, all of them having begun at the same moment."""
    together = threading.Barrier(len(homes))

    def work(settings: Settings) -> Recorded:
        together.wait(30)
        return record(settings)

    with ThreadPoolExecutor(len(homes)) as pool:
        return list(pool.map(work, homes))


def home_beside(settings: Settings, name: str) -> Settings:
    """Another stack's home on the same catalog."""
    home, lakehouse = settings.stack.home, settings.lakehouse
    if lakehouse.catalog_uri == "":
        lakehouse = dataclasses.replace(
            lakehouse,
            catalog_uri=f"sqlite:///{home}/lakehouse/catalog.db",
            warehouse=str(home / "lakehouse" / "warehouse"),
        )
    return dataclasses.replace(settings, stack=StackSettings(home=home / name), lakehouse=lakehouse)


def versions_in(catalog: Catalog) -> list[str]:
    table = catalog.load_table("fraud.rulesets")
    return sorted(table.scan().to_arrow()["ruleset"].to_pylist())


def files_of(catalog: Catalog) -> tuple[set[str], set[str]]:
    """The data files that the table refers to, and those that lie in its folder."""
    table = catalog.load_table("fraud.rulesets")
    named = set(table.inspect.files()["file_path"].to_pylist())
    folder = Path(table.location().removeprefix("file://"))
    return named, {path.as_uri() for path in folder.rglob("*.parquet")}
