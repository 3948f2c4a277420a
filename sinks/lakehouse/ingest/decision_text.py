"""The text of a decision as the job's encoder lays it out, cut where that layout says.

Each function of DuckDB reads its text anew: so the transaction, the features and the rest are texts
of their own. If all three are JSON there was only this place to cut: the transaction is an object,
the features are one, and what is around them is one without them.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from sinks.lakehouse.tables import FEATURE_NAME, MOST_FEATURES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sinks.lakehouse.ingest.records import Records

_LONGEST_SEARCH = 20
"""So many records may be of another make before the whole block is."""
# Between these pieces stand the texts that are cut out.
_HEAD = b'{"decision_id":"'
_NECK = b'","transaction":{'
_TAIL = b'},"base_amount":'
_FEATURES = b',"features":{'
_SCORE = b'},"score":'
_ID_END = len(_HEAD) + 32
_TRANSACTION_START = _ID_END + len(_NECK) - 1

_TAME_BYTES = 1000
"""A strict reader takes numbers of so many digits, and half as deep a nesting, in any text."""
_LONG_NUMBER = b"0" * (_TAME_BYTES + 1)
_DIGITS_ALIKE = bytes(ord("0") if chr(at) in "0123456789.eE+-" else 0 for at in range(256))


def first_features(records: Records) -> list[str] | None:
    """The features of the first record that has usable ones: a pattern for the others.

    None if none of the first few records has any.
    """
    for value in records.values[:_LONGEST_SEARCH]:
        names = None if value is None else _features_of(value)
        if names is not None:
            return names
    return None


def cut(records: Records, features: Sequence[str]) -> pa.Table | None:
    """The records whose layout is the encoder's, in pieces; None if a text of one is not UTF-8.

    Left out are those that may be nested too deeply for a strict reader, or hold too long a number,
    and those of another layout. ``row_index`` says which of ``records`` each row is; ``features``
    are those expected in each.
    """
    at, ids, transactions, feature_texts, rests = [], [], [], [], []
    names = sum(len(name) + len('"":,') for name in features)
    for index, value in enumerate(records.values):
        if (
            value is None
            or value[: len(_HEAD)] != _HEAD
            or value[_ID_END : _TRANSACTION_START + 1] != _NECK
        ):
            continue
        end = value.find(_TAIL, _TRANSACTION_START) + 1
        start = value.find(_FEATURES, end)
        stop = value.find(_SCORE, start) + 1
        if not 0 < end <= start < stop:
            continue
        pieces = (
            value[_TRANSACTION_START:end],
            value[start + len(_FEATURES) - 1 : stop],
            b"{" + value[end + 1 : start + 1] + value[stop + 1 :],
        )
        if _is_tame(pieces[0]) and _is_tame(pieces[1], names) and _is_tame(pieces[2]):
            at.append(index)
            ids.append(value[len(_HEAD) : _ID_END])
            transactions.append(pieces[0])
            feature_texts.append(pieces[1])
            rests.append(pieces[2])
    try:
        texts = [
            pa.array(part, pa.binary()).cast(pa.string())
            for part in (ids, transactions, feature_texts, rests)
        ]
    except pa.ArrowInvalid:
        return None
    return _side_by_side(records, at, texts)


def _side_by_side(records: Records, at: list[int], texts: list[pa.Array]) -> pa.Table:
    """The texts with the places of their records."""
    places = pa.array(at, pa.int32())
    return pa.table(
        {
            "row_index": places,
            "decision_id": texts[0],
            "transaction": texts[1],
            "features_text": texts[2],
            "rest": texts[3],
            "kafka_partition": pa.array(records.partitions, pa.int32()).take(places),
            "kafka_offset": pa.array(records.offsets, pa.int64()).take(places),
            "kafka_time_us": pc.multiply(pa.array(records.times_ms, pa.int64()).take(places), 1000),
        }
    )


def _is_tame(text: bytes, known: int = 0) -> bool:
    """True if ``text`` is surely neither nested deeply nor holds a number of a thousand digits.

    ``known`` bytes of it are no number and open nothing.
    """
    if len(text) - known <= _TAME_BYTES:
        return True
    is_flat = text.count(b"{") + text.count(b"[") <= _TAME_BYTES // 2
    return is_flat and _LONG_NUMBER not in text.translate(_DIGITS_ALIKE)


def _features_of(value: bytes) -> list[str] | None:
    """The feature names of one record; None if it is not usable as a pattern for the others."""
    try:
        features = json.loads(value)["features"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(features, dict) or not 0 < len(features) <= MOST_FEATURES:
        return None
    if any(FEATURE_NAME.fullmatch(name) is None for name in features):
        return None
    return list(features)
