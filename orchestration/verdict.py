"""What a check finds, without Dagster: a sentence, figures, and how bad it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

Severity = Literal["WARN", "ERROR"]
Figure = int | float | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One judgement. ``severity`` counts where it has not passed."""

    passed: bool
    sentence: str
    severity: Severity = "ERROR"
    figures: Mapping[str, Figure] = field(default_factory=dict)
    """Numbers are plotted over time, each under its name."""
    markdown: Mapping[str, str] = field(default_factory=dict)
    """What is longer than a sentence, such as a table or a query."""
    is_known: bool = True
    """False: nothing was seen to judge by, because a system did not answer."""

    @property
    def outcome(self) -> str:
        """One word, to see whether it has changed."""
        return "passed" if self.passed else self.severity


def is_well(sentence: str, **figures: Figure) -> Verdict:
    """Passed."""
    return Verdict(passed=True, sentence=sentence, figures=figures)


def warn(sentence: str, **figures: Figure) -> Verdict:
    """Not as it should be, and nobody need get up for it."""
    return Verdict(passed=False, sentence=sentence, severity="WARN", figures=figures)


def fail(sentence: str, **figures: Figure) -> Verdict:
    """Wrong."""
    return Verdict(passed=False, sentence=sentence, figures=figures)


def unknown(sentence: str, *, severity: Severity = "WARN") -> Verdict:
    """Nothing was seen to judge by."""
    return Verdict(passed=False, sentence=sentence, severity=severity, is_known=False)
