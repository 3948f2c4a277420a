"""Tables grow by an explicit step, keep what they have, and refuse what would lose data."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import pytest
from pyiceberg.exceptions import CommitFailedException
from pyiceberg.table import Transaction
from pyiceberg.types import DoubleType, IntegerType, LongType, StringType

from pipelines.errors import SinkError, TransientError
from pipelines.settings import LakehouseSettings
from sinks.lakehouse import schema as module
from sinks.lakehouse.schema import apply_changes, create_table, feature_names, plan_changes
from sinks.lakehouse.tables import DECISIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from pyiceberg.catalog import Catalog
    from pyiceberg.table import Table

SETTINGS = LakehouseSettings()
SPEED = {"travel_kmh": "Speed since the last place, km/h."}


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSE_SECONDS", 0.0)


@pytest.fixture
def open_table(catalog: Catalog) -> Callable[[], Table]:
    return lambda: catalog.load_table("fraud.decisions")


def shown(changes: list[module.Change]) -> list[tuple[str, str, str]]:
    return [(one.table, one.kind, one.name) for one in changes]


def test_what_is_missing_is_made_and_then_there_is_nothing_to_do(catalog: Catalog) -> None:
    planned = plan_changes(catalog, SETTINGS, SPEED)
    assert not catalog.table_exists("fraud.decisions")

    done = apply_changes(catalog, SETTINGS, SPEED)

    assert [one.value for one in planned] == [*["a new table, split by day"] * 3, "a new table"]
    assert shown(planned) == [
        ("decisions", "create", "decisions"),
        ("labels", "create", "labels"),
        ("dead_letters", "create", "dead_letters"),
        ("rulesets", "create", "rulesets"),
    ]
    assert shown(done) == [
        ("decisions", "create", "decisions"),
        ("decisions", "add", "features"),
        ("labels", "create", "labels"),
        ("dead_letters", "create", "dead_letters"),
        ("rulesets", "create", "rulesets"),
    ]
    assert plan_changes(catalog, SETTINGS, SPEED) == []
    assert apply_changes(catalog, SETTINGS, SPEED) == []


def test_a_new_feature_is_a_nullable_double_that_says_what_it_means(
    catalog: Catalog, open_table: Callable[[], Table]
) -> None:
    apply_changes(catalog, SETTINGS, SPEED)

    done = apply_changes(catalog, SETTINGS, {**SPEED, "card_count_1h": "Transactions."})

    assert shown(done) == [("decisions", "add", "features.card_count_1h")]
    assert feature_names(open_table().schema()) == ["travel_kmh", "card_count_1h"]
    field = open_table().schema().find_field("features.card_count_1h")
    assert (field.field_type, field.required, field.doc) == (DoubleType(), False, "Transactions.")


def test_a_feature_that_no_rule_needs_any_more_stays(
    catalog: Catalog, open_table: Callable[[], Table]
) -> None:
    apply_changes(catalog, SETTINGS, SPEED)

    assert apply_changes(catalog, SETTINGS, {}) == []
    assert feature_names(open_table().schema()) == ["travel_kmh"]


def test_a_column_of_a_newer_release_is_added_to_an_older_table(
    catalog: Catalog, open_table: Callable[[], Table]
) -> None:
    """A table as it was before decisions named their topic."""
    older = dataclasses.replace(
        DECISIONS, columns=tuple(one for one in DECISIONS.columns if one.name != "kafka_topic")
    )
    create_table(catalog, SETTINGS, older)

    done = apply_changes(catalog, SETTINGS, {})

    assert ("decisions", "add", "kafka_topic") in shown(done)
    assert not open_table().schema().find_field("kafka_topic").required


def test_a_declared_type_that_became_wider_widens_the_column(
    catalog: Catalog, open_table: Callable[[], Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_changes(catalog, SETTINGS, {})
    columns = tuple(
        dataclasses.replace(one, type=LongType()) if one.name == "source_partition" else one
        for one in DECISIONS.columns
    )
    monkeypatch.setattr(module, "TABLES", (dataclasses.replace(DECISIONS, columns=columns),))

    (done,) = apply_changes(catalog, SETTINGS, {})

    assert (done.kind, done.name, done.value) == ("widen", "source_partition", "long")
    assert open_table().schema().find_type("source_partition") == LongType()


def test_a_column_that_another_tool_has_widened_is_as_good(
    catalog: Catalog, open_table: Callable[[], Table]
) -> None:
    apply_changes(catalog, SETTINGS, {})
    with open_table().update_schema() as update:
        update.update_column("source_partition", LongType())

    assert plan_changes(catalog, SETTINGS, {}) == []


def test_words_order_and_settings_are_kept_up(
    catalog: Catalog, open_table: Callable[[], Table]
) -> None:
    apply_changes(catalog, SETTINGS, SPEED)
    with open_table().transaction() as transaction:
        with transaction.update_schema() as update:
            update.update_column("band", doc="?")
        transaction.set_properties({"commit.manifest.min-count-to-merge": "5"})
    in_time = dataclasses.replace(SETTINGS, sort_by="time")

    done = apply_changes(catalog, in_time, SPEED)

    assert [one for one in shown(done) if one[0] == "decisions"] == [
        ("decisions", "describe", "band"),
        ("decisions", "sort", "sort order"),
        ("decisions", "set", "commit.manifest.min-count-to-merge"),
    ]
    assert apply_changes(catalog, in_time, SPEED) == []
    order = [field.source_id for field in open_table().sort_order().fields]
    assert order == [open_table().schema().find_field("event_time").field_id]


def test_new_tables_can_be_split_by_hour_and_old_ones_stay_as_they_are(
    catalog: Catalog, open_table: Callable[[], Table]
) -> None:
    apply_changes(catalog, dataclasses.replace(SETTINGS, partition_by="hour"), {})

    assert str(open_table().spec().fields[0].transform) == "hour"
    assert apply_changes(catalog, SETTINGS, {}) == []
    assert str(open_table().spec().fields[0].transform) == "hour"


def test_a_column_that_was_renamed_by_another_tool_is_refused(
    catalog: Catalog, open_table: Callable[[], Table]
) -> None:
    apply_changes(catalog, SETTINGS, {})
    with open_table().update_schema() as update:
        update.rename_column("channel", "used_by")

    with pytest.raises(SinkError, match=r"fraud\.decisions has lost its column channel"):
        apply_changes(catalog, SETTINGS, {})


def test_a_column_of_another_type_is_refused(
    catalog: Catalog, open_table: Callable[[], Table]
) -> None:
    apply_changes(catalog, SETTINGS, {})
    with open_table().update_schema(allow_incompatible_changes=True) as update:
        update.delete_column("channel")
    with open_table().update_schema() as update:
        update.add_column("channel", IntegerType())

    with pytest.raises(SinkError, match=r"column channel .* is int, and rows have string there"):
        apply_changes(catalog, SETTINGS, {})


def test_columns_of_others_are_left_alone(
    catalog: Catalog, open_table: Callable[[], Table]
) -> None:
    apply_changes(catalog, SETTINGS, {})
    with open_table().update_schema() as update:
        update.add_column("note", StringType())

    assert apply_changes(catalog, SETTINGS, {}) == []
    assert "note" in open_table().schema().column_names


def test_more_features_than_a_table_can_have_are_refused(catalog: Catalog) -> None:
    with pytest.raises(SinkError, match="would have 1001 features; at most 1000"):
        apply_changes(catalog, SETTINGS, {f"f{at}": "" for at in range(1001)})


def test_a_change_that_meets_a_commit_of_the_sink_is_made_on_top_of_it(
    catalog: Catalog, open_table: Callable[[], Table], monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_changes(catalog, SETTINGS, {})
    commit = Transaction.commit_transaction
    refusals = [CommitFailedException("somebody was faster")]

    def meet(self: Transaction) -> Table:
        if refusals:
            raise refusals.pop()
        return commit(self)

    monkeypatch.setattr(Transaction, "commit_transaction", meet)

    assert shown(apply_changes(catalog, SETTINGS, SPEED)) == [("decisions", "add", "features")]
    assert feature_names(open_table().schema()) == ["travel_kmh"]


def test_a_catalog_that_takes_no_change_ends_in_a_transient_error(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    apply_changes(catalog, SETTINGS, {})

    def refuse(_: Transaction) -> Table:
        raise CommitFailedException("no")

    monkeypatch.setattr(Transaction, "commit_transaction", refuse)
    with pytest.raises(TransientError, match="took no change in 20 attempts"):
        apply_changes(catalog, SETTINGS, SPEED)
