"""Verdicts in Dagster's words: the same for a check that runs and for one a sensor reports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from orchestration.verdict import Verdict

_SEVERITY = {"WARN": dg.AssetCheckSeverity.WARN, "ERROR": dg.AssetCheckSeverity.ERROR}


def to_result(
    verdict: Verdict, *, asset: dg.AssetKey | None = None, check: str | None = None
) -> dg.AssetCheckResult:
    """For a check that runs."""
    return dg.AssetCheckResult(
        passed=verdict.passed,
        asset_key=asset,
        check_name=check,
        severity=_SEVERITY[verdict.severity],
        description=verdict.sentence,
        metadata=_metadata(verdict),
    )


def to_evaluation(verdict: Verdict, *, asset: dg.AssetKey, check: str) -> dg.AssetCheckEvaluation:
    """For a sensor, which reports without a run."""
    return dg.AssetCheckEvaluation(
        asset_key=asset,
        check_name=check,
        passed=verdict.passed,
        severity=_SEVERITY[verdict.severity],
        description=verdict.sentence,
        metadata=_metadata(verdict),
    )


def _metadata(verdict: Verdict) -> dict[str, Any]:
    texts = {name: dg.MetadataValue.md(text) for name, text in verdict.markdown.items()}
    return {**verdict.figures, **texts}
