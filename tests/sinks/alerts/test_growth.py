from __future__ import annotations

from typing import Any

from sinks.alerts.growth import EXACT_TO, grown_query, list_limits, write_grown
from sinks.dashboards.kql import parse_kql


def finds(query: dict[str, Any], *, status: str, at_verdict: int | None, now: int) -> bool:
    """Whether a query of terms and ranges finds such an alert, as Elasticsearch would judge it."""
    fields = {"case.status": status, "case.label.hits": at_verdict, "fraud.hits": now}

    def holds(one: dict[str, Any]) -> bool:
        ((kind, body),) = one.items()
        if kind == "bool":
            return all(map(holds, body.get("filter", []))) and (
                "should" not in body or any(map(holds, body["should"]))
            )
        ((name, wanted),) = body.items()
        value: Any = fields[name]
        if kind in {"term", "match"}:
            return bool(value == wanted)
        ((sign, limit),) = wanted.items()
        return value is not None and (value <= int(limit) if sign == "lte" else value > int(limit))

    return holds(query)


def test_what_grew_is_found_and_nothing_else() -> None:
    for query in (grown_query(), parse_kql(write_grown())):
        for before in range(1, EXACT_TO + 1):
            for now in range(1, 60):
                found = finds(query, status="closed", at_verdict=before, now=now)
                assert found is (now > before), (before, now)


def test_large_alert_is_found_once_it_has_passed_the_next_limit() -> None:
    def found(before: int, now: int) -> bool:
        return finds(grown_query(), status="closed", at_verdict=before, now=now)

    assert not any(found(n, n) for n in range(EXACT_TO, 2_000))
    assert all(found(n, n * 5 // 4 + 1) for n in range(EXACT_TO, 2_000))
    assert list_limits() == sorted(set(list_limits()))


def test_open_alert_and_one_that_nobody_judged_are_not_found() -> None:
    assert not finds(grown_query(), status="in_progress", at_verdict=1, now=3)
    assert not finds(grown_query(), status="closed", at_verdict=None, now=3)
