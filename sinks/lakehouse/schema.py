"""The tables in the catalog: made where they are missing, and brought up to what is declared.

A table only ever grows: columns and features are added, which old rows show as NULL, numbers become
wider, words and settings change. That is a step of its own, taken when a job is deployed or by
``fraudlake lake apply``; the sink never does it. What another tool has done to a table and would
lose data here, such as a column that was renamed, is refused.
"""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from pyiceberg.exceptions import (
    NamespaceAlreadyExistsError,
    ResolveError,
    TableAlreadyExistsError,
)
from pyiceberg.schema import promote
from pyiceberg.table.sorting import NullOrder, SortField, SortOrder
from pyiceberg.transforms import IdentityTransform
from pyiceberg.types import DoubleType, ListType, NestedField, StructType
from sqlalchemy.exc import IntegrityError

from pipelines.errors import SinkError, TransientError
from sinks.lakehouse.iceberg import UNSURE
from sinks.lakehouse.tables import FEATURES, MOST_FEATURES, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pyiceberg.catalog import Catalog
    from pyiceberg.schema import Schema
    from pyiceberg.table import Table
    from pyiceberg.table.update.schema import UpdateSchema
    from pyiceberg.types import IcebergType

    from pipelines.settings import LakehouseSettings
    from sinks.lakehouse.tables import LakeTable

ATTEMPTS = 20
PAUSE_SECONDS = 0.1
_FEATURES_ABOUT = "What was known of card, customer, merchant and device at that time."


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One step that brings a table up to what is declared."""

    table: str
    kind: Literal["create", "add", "widen", "describe", "sort", "set"]
    name: str
    """Of the table, the column, the member (``features.travel_kmh``) or the setting."""
    value: str
    """The new words or value."""
    type: IcebergType | None = None
    """Of a column that is added or widened."""

    @property
    def members(self) -> list[str]:
        """The names inside a struct that is added."""
        return (
            [field.name for field in self.type.fields] if isinstance(self.type, StructType) else []
        )


def plan_changes(
    catalog: Catalog, settings: LakehouseSettings, features: Mapping[str, str]
) -> list[Change]:
    """What ``apply_changes`` would do."""
    found = []
    for declared in TABLES:
        identifier = (settings.namespace, declared.name)
        if catalog.table_exists(identifier):
            found += list(
                _differences(catalog.load_table(identifier), declared, settings, features)
            )
        else:
            found.append(_creation(declared, settings))
    return found


def plan_everything(settings: LakehouseSettings) -> list[Change]:
    """What ``apply_changes`` would do where there is no catalog yet."""
    return [_creation(declared, settings) for declared in TABLES]


def apply_changes(
    catalog: Catalog, settings: LakehouseSettings, features: Mapping[str, str]
) -> list[Change]:
    """Bring every table up to what is declared; what was done.

    ``features`` are names with what they mean. SinkError where another tool has changed a table so
    that this would lose data; TransientError where the catalog takes no commit.
    """
    done = []
    for declared in TABLES:
        done += apply_to_table(catalog, settings, declared, features)
    return done


def apply_to_table(
    catalog: Catalog,
    settings: LakehouseSettings,
    declared: LakeTable,
    features: Mapping[str, str],
) -> list[Change]:
    """The same for one of the tables."""
    is_new = not catalog.table_exists((settings.namespace, declared.name))
    table = create_table(catalog, settings, declared)
    created = [_creation(declared, settings)] if is_new else []
    return created + _bring_up(table, declared, settings, features)


def create_table(catalog: Catalog, settings: LakehouseSettings, table: LakeTable) -> Table:
    """The table, created with its namespace where it is missing. Idempotent, also when raced.

    One that is there stays as it is.
    """
    identifier = (settings.namespace, table.name)
    if catalog.table_exists(identifier):
        return catalog.load_table(identifier)
    schema = table.schema()
    # A SQL catalog that another process was faster in says so in its own words.
    with suppress(NamespaceAlreadyExistsError, IntegrityError):
        catalog.create_namespace_if_not_exists(settings.namespace)
    try:
        return catalog.create_table(
            identifier,
            schema=schema,
            partition_spec=table.partition_spec(settings.partition_by),
            sort_order=_sort_order(schema, table.sort_columns(settings.sort_by)),
            properties={**table.properties(), "format-version": "2"},
        )
    except TableAlreadyExistsError:
        return catalog.load_table(identifier)


def feature_names(schema: Schema) -> list[str]:
    """The features that the table can hold, in its own order."""
    if FEATURES not in schema.column_names:
        return []
    struct = schema.find_type(FEATURES)
    return [field.name for field in struct.fields] if isinstance(struct, StructType) else []


def _bring_up(
    table: Table, declared: LakeTable, settings: LakehouseSettings, features: Mapping[str, str]
) -> list[Change]:
    """Each attempt looks at the table anew: the sink commits meanwhile."""
    for attempt in range(ATTEMPTS):
        changes = list(_differences(table, declared, settings, features))
        try:
            _carry_out(table, changes)
        except UNSURE:
            time.sleep(PAUSE_SECONDS * min(attempt, 5))
            table.refresh()
        else:
            return changes
    msg = f"table {_name(table)} took no change in {ATTEMPTS} attempts"
    raise TransientError(msg)


def _carry_out(table: Table, changes: Iterable[Change]) -> None:
    """All of it or nothing."""
    columns = [change for change in changes if change.kind in {"add", "widen", "describe"}]
    order = [change for change in changes if change.kind == "sort"]
    properties = {change.name: change.value for change in changes if change.kind == "set"}
    with table.transaction() as transaction:
        if columns:
            with transaction.update_schema() as update:
                for change in columns:
                    _change_column(update, change)
        for change in order:
            with transaction.update_sort_order() as sorting:
                for name in change.value.split(", "):
                    sorting.asc(name, IdentityTransform(), NullOrder.NULLS_FIRST)
        if properties:
            transaction.set_properties(properties)


def _change_column(update: UpdateSchema, change: Change) -> None:
    path = tuple(change.name.split("."))
    if change.kind == "add" and change.type is not None:
        update.add_column(path, change.type, doc=change.value or None)
    elif change.kind == "widen":
        update.update_column(path, field_type=change.type)
    else:
        update.update_column(path, doc=change.value)


def _creation(declared: LakeTable, settings: LakehouseSettings) -> Change:
    split = f", split by {settings.partition_by}" if declared.is_split else ""
    value = f"a new table{split}"
    return Change(table=declared.name, kind="create", name=declared.name, value=value)


def _differences(
    table: Table, declared: LakeTable, settings: LakehouseSettings, features: Mapping[str, str]
) -> Iterator[Change]:
    for column in declared.columns:
        yield from _compare_column(table, declared, column.name, column.type, column.about)
    if declared.has_features:
        yield from _missing_features(table, declared, features)
    order = declared.sort_columns(settings.sort_by)
    if table.sort_order().fields != _sort_order(table.schema(), order).fields:
        yield Change(table=declared.name, kind="sort", name="sort order", value=", ".join(order))
    for name, value in declared.properties().items():
        if table.properties.get(name) != value:
            yield Change(table=declared.name, kind="set", name=name, value=value)


def _compare_column(
    table: Table, declared: LakeTable, name: str, wanted: IcebergType, about: str
) -> Iterator[Change]:
    if name not in table.schema().column_names:
        if any(column.name == name and column.required for column in declared.columns):
            msg = (
                f"table {_name(table)} has lost its column {name}: another tool has renamed or "
                "dropped it. Give it back its name; if it is gone, write to another "
                "FRAUDLAKE_LAKEHOUSE_NAMESPACE"
            )
            raise SinkError(msg)
        yield Change(table=declared.name, kind="add", name=name, value=about, type=wanted)
        return
    field = table.schema().find_field(name)
    if not _holds(field.field_type, wanted):
        if not _holds(wanted, field.field_type):
            msg = (
                f"column {name} of table {_name(table)} is {field.field_type}, and rows have "
                f"{wanted} there: another tool has changed it. Write to another "
                "FRAUDLAKE_LAKEHOUSE_NAMESPACE"
            )
            raise SinkError(msg)
        yield Change(table=declared.name, kind="widen", name=name, value=str(wanted), type=wanted)
    if field.doc != about:
        yield Change(table=declared.name, kind="describe", name=name, value=about)


def _missing_features(
    table: Table, declared: LakeTable, features: Mapping[str, str]
) -> Iterator[Change]:
    known = feature_names(table.schema())
    missing = {name: about for name, about in features.items() if name not in known}
    if len(known) + len(missing) > MOST_FEATURES:
        msg = (
            f"table {_name(table)} would have {len(known) + len(missing)} features; at most "
            f"{MOST_FEATURES} are possible. Write to another FRAUDLAKE_LAKEHOUSE_NAMESPACE"
        )
        raise SinkError(msg)
    if known:
        for name, about in missing.items():
            member = f"{FEATURES}.{name}"
            yield Change(
                table=declared.name, kind="add", name=member, value=about, type=DoubleType()
            )
    elif missing:
        members = (
            NestedField(at, name, DoubleType(), doc=about or None)
            for at, (name, about) in enumerate(missing.items(), 1)
        )
        struct = StructType(*members)
        yield Change(
            table=declared.name, kind="add", name=FEATURES, value=_FEATURES_ABOUT, type=struct
        )


def _holds(wide: IcebergType, narrow: IcebergType) -> bool:
    """True if every value of ``narrow`` is one of ``wide``, as Iceberg sees it."""
    if _layout(wide) == _layout(narrow):
        return True
    try:
        promote(narrow, wide)
    except ResolveError:
        return False
    return True


def _layout(type_: IcebergType) -> object:
    """A type without field ids, of which the catalog gives its own, and without words."""
    if isinstance(type_, ListType):
        return ("list", _layout(type_.element_type), type_.element_required)
    if isinstance(type_, StructType):
        return [(one.name, _layout(one.field_type), one.required) for one in type_.fields]
    return str(type_)


def _sort_order(schema: Schema, columns: Iterable[str]) -> SortOrder:
    fields = (
        SortField(schema.find_field(name).field_id, transform=IdentityTransform())
        for name in columns
    )
    return SortOrder(*fields)


def _name(table: Table) -> str:
    return ".".join(table.name())
