"""No column of a decision is taken on trust: each is judged by the query or value by value."""

from __future__ import annotations

import re
from importlib import resources

from pyiceberg.types import BooleanType, ListType

from sinks.lakehouse.ingest.certainty import _VALUES
from sinks.lakehouse.tables import DECISIONS

OF_THE_RECORD = {"kafka_topic", "kafka_partition", "kafka_offset", "kafka_time"}
CUT_OUT = {"transaction"}


def test_whoever_adds_a_column_says_which_of_its_values_the_contract_takes() -> None:
    """A value that the contract refuses would else be stored, and its dead letter be missing."""
    query = resources.files("sinks.lakehouse.ingest").joinpath("decode_decisions.sql").read_text()
    judged = set(re.findall(r"\w+", query[query.index("has_expected_members\n") :]))

    for column in DECISIONS.columns:
        if column.name in OF_THE_RECORD | CUT_OUT or column.name in _VALUES:
            continue
        if isinstance(column.type, BooleanType | ListType):
            continue  # its JSON type says all, and names of rules are judged one by one
        assert column.name.removeprefix("source_") in judged, f"nobody judges {column.name}"
