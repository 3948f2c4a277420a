"""Alert grouping in Java and the obvious one in Python say the same of random streams."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_process import running

from pipelines.alert_grouping import Flagged, Revision, group_alerts

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence

WINDOW_MS = 1000


class Grouping:
    """The process that groups."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def run(self, card_id: str, flagged: Sequence[Flagged]) -> list[Revision]:
        self._send(f"fresh\t{card_id}\t{WINDOW_MS}")
        return [self._ask(one) for one in flagged]

    def _ask(self, one: Flagged) -> Revision:
        reasons = [word for reason in one.reasons for word in reason]
        words = [one.transaction_id, one.event_time_ms, one.base_minor, one.score]
        self._send("\t".join(map(str, [*words, int(one.is_block), *reasons])))
        assert self._process.stdout is not None
        found = self._process.stdout.readline().rstrip("\n").split("\t")
        return Revision(
            alert_id=found[0],
            sequence=int(found[1]),
            opening_transaction_id=found[2],
            opened_at_ms=int(found[3]),
            updated_at_ms=int(found[4]),
            base_minor=int(found[5]),
            score=float(found[6]),
            is_block=found[7] == "1",
            reasons=tuple(zip(found[8::2], found[9::2], strict=True)),
        )

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()


@pytest.fixture(scope="module")
def grouping(class_path: str) -> Iterator[Grouping]:
    with running(class_path, "io.fraudlake.decision.AlertHarness") as process:
        yield Grouping(process)


REASONS = st.dictionaries(
    st.sampled_from(["high_amount", "far_jump", "rapid_use"]),
    st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=20),
    max_size=3,
)
DECISIONS = st.lists(
    st.builds(
        Flagged,
        transaction_id=st.integers(0, 10**6).map("t{}".format),
        # Around a window's edges, in and out of order.
        event_time_ms=st.sampled_from([0, 1, 500, 999, 1000, 1001, 1999, 2000, 2001, 5000]),
        base_minor=st.integers(-(10**13), 10**13),
        score=st.floats(0, 100),
        is_block=st.booleans(),
        reasons=REASONS.map(lambda found: tuple(found.items())),
    ),
    max_size=12,
)


@settings(max_examples=200, deadline=None)
@given(flagged=DECISIONS)
def test_every_decision_gets_the_alert_of_the_reference(
    grouping: Grouping, flagged: list[Flagged]
) -> None:
    expected = list(group_alerts("card é", flagged, window_ms=WINDOW_MS))
    assert grouping.run("card é", flagged) == expected
