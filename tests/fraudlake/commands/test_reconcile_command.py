"""What ``fraudlake reconcile`` concludes from what it found."""

from __future__ import annotations

import pytest

from fraudlake.commands.reconcile import show_findings
from sinks.reconciliation.judgement import Finding


def finding(count: int, *, missing: int = 0) -> Finding:
    return Finding(
        what="decisions",
        expected=count + missing,
        found=count,
        distinct=count,
        missing=missing,
        doubled=0,
        unexpected=0,
        examples=("0:7 is missing",) * bool(missing),
    )


@pytest.mark.parametrize(
    ("found", "conclusion"),
    [
        (finding(0), "nothing has come in yet: there was nothing to compare"),
        (finding(5), "everything that came in was decided and stored exactly once"),
        (finding(5, missing=1), "decisions: 0:7 is missing"),
    ],
)
def test_empty_system_is_no_success(
    found: Finding, conclusion: str, capsys: pytest.CaptureFixture[str]
) -> None:
    show_findings([found])

    assert capsys.readouterr().out.rstrip().endswith(conclusion)
