"""Of which decoded rows one can be sure that the contracts take them, value by value.

Values of which a block has few (JSON types, codes, words of a closed set, names of rules) are read
by the contract itself, once for each different one. Ids, times and numbers, of which every row has
its own, are checked for all rows at once, where they are read (``decode_decisions.sql``).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.contracts.decision import BANDS, RULESET
from pipelines.contracts.faults import ContractFault
from pipelines.contracts.fields import CATEGORY, COUNTRY, CURRENCY, HASH, Fields
from pipelines.contracts.transaction import CHANNELS, ENTRY_MODES, KINDS, STATUSES

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Collection, Mapping, Sequence

    Read = Callable[[Fields], object]

_MOST_KNOWN = 10_000
_IT = "it"


def _code(pattern: re.Pattern[str]) -> Read:
    return lambda fields: fields.code(_IT, pattern, "")


def _choice(allowed: Collection[str]) -> Read:
    return lambda fields: fields.choice(_IT, allowed)


def _text(fields: Fields) -> object:
    return fields.text(_IT)


def _text_or_none(fields: Fields) -> object:
    return fields.text_or_none(_IT)


_VALUES: Mapping[str, Read] = {
    "merchant_category": _code(CATEGORY),
    "currency": _code(CURRENCY),
    "base_currency": _code(CURRENCY),
    "channel": _choice(CHANNELS),
    "entry_mode": _choice(ENTRY_MODES),
    "kind": _choice(KINDS),
    "status": _choice(STATUSES),
    "decline_reason": _text_or_none,
    "country": _code(COUNTRY),
    "ip_country": _code(COUNTRY),
    "billing_country": _code(COUNTRY),
    "shipping_country": _code(COUNTRY),
    "band": _choice(BANDS),
    "ruleset": _code(RULESET),
    "model": _text_or_none,
    "alert_id": _code(HASH),
    "source_topic": _text,
}
"""How the contract reads each column of few values; where one is NULL, its type was judged."""
_RULES_FIRED = "rules_fired"


class Judge:
    """Verdicts on blocks; it remembers those on values, which are the same in every block.

    ``types`` are columns of evidence: the JSON types that were found, and those that are right.
    """

    def __init__(self, types: Mapping[str, Sequence[frozenset[str]]]) -> None:
        self._types = types
        self._known: dict[tuple[str, str], bool] = {}

    def judge(self, found: pa.Table, *, finite: Sequence[pa.Array]) -> pa.Array:
        """True for each row of which one can be sure.

        ``finite`` are more columns of doubles, all of which must be.
        """
        verdict = found.column("looks_right").combine_chunks()
        for name, members in self._types.items():
            has = partial(_has_types, members=members)
            verdict = pc.and_(verdict, pc.fill_null(self._look_up(found, name, has), False))
        for name, read in _VALUES.items():
            if found.column(name).null_count == found.num_rows:
                continue
            taken = self._look_up(found, name, partial(_is_taken, read=read))
            verdict = pc.and_(verdict, pc.fill_null(taken, True))
        for column in finite:
            verdict = pc.and_(verdict, pc.fill_null(pc.is_finite(column), True))
        return pc.and_(verdict, self._judge_rules(found.column(_RULES_FIRED).combine_chunks()))

    def _judge_rules(self, fired: pa.ListArray) -> pa.Array:
        """True where the name of each rule is taken."""
        names = fired.flatten()
        taken = self._judge_each(names, _RULES_FIRED, partial(_is_taken, read=_text))
        wrong = pc.list_parent_indices(fired).filter(pc.invert(pc.fill_null(taken, False)))
        if len(wrong) == 0:
            return pa.scalar(True)
        return pc.invert(pc.is_in(pa.array(range(len(fired)), wrong.type), value_set=wrong))

    def _look_up(self, found: pa.Table, name: str, judge: Callable[[str], bool]) -> pa.Array:
        return self._judge_each(found.column(name).combine_chunks(), name, judge)

    def _judge_each(self, values: pa.Array, name: str, judge: Callable[[str], bool]) -> pa.Array:
        """The verdict on each value; NULL for NULL."""
        encoded = values.dictionary_encode()
        verdicts = [self._recall(name, text, judge) for text in encoded.dictionary.to_pylist()]
        return pa.array(verdicts, pa.bool_()).take(encoded.indices)

    def _recall(self, name: str, text: str, judge: Callable[[str], bool]) -> bool:
        key = (name, text)
        if key not in self._known:
            if len(self._known) > _MOST_KNOWN:  # foreign records may hold any number of values
                self._known.clear()
            self._known[key] = judge(text)
        return self._known[key]


def _has_types(text: str, *, members: Sequence[frozenset[str]]) -> bool:
    """``text`` is a list of JSON types as DuckDB writes it, such as ``[VARCHAR, NULL]``."""
    types = text.strip("[]").replace("'", "").split(", ")
    return all(a in b for a, b in zip(types, members, strict=True))


def _is_taken(text: str, *, read: Read) -> bool:
    try:
        read(Fields({_IT: text}))
    except ContractFault:
        return False
    return True
