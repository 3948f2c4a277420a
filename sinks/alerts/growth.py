"""Closed alerts that have grown since their verdict, as a search can find them.

A payment within the window joins its alert, closed or not. The verdict writes how many payments
it was given for, and the sink how many there are; but no query compares two fields. So it is asked
of each limit by itself whether it lies between the two: *at most 3 at the verdict, more than 3
now*. One of them does if, and only if, the alert has grown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

AT_VERDICT = "case.label.hits"
NOW = "fraud.hits"
EXACT_TO = 40
_LARGEST = 10_000


def list_limits() -> list[int]:
    """Every number to ``EXACT_TO``, then each a quarter more than the one before.

    So an alert that had more payments than that when it was judged is found later: once it has
    passed the next limit.

    >>> list_limits()[38:44]
    [39, 40, 50, 62, 77, 96]
    """
    limits = list(range(1, EXACT_TO + 1))
    while limits[-1] < _LARGEST:
        limits.append(limits[-1] * 5 // 4)
    return limits


def grown_query() -> dict[str, Any]:
    """As Elasticsearch asks it."""
    passed = [
        {"bool": {"filter": [{"range": {AT_VERDICT: {"lte": n}}}, {"range": {NOW: {"gt": n}}}]}}
        for n in list_limits()
    ]
    closed = {"term": {"case.status": "closed"}}
    return {"bool": {"filter": [closed, {"bool": {"should": passed, "minimum_should_match": 1}}]}}


def write_grown() -> str:
    """As Kibana's query language has it."""
    passed = " or ".join(f"({AT_VERDICT} <= {n} and {NOW} > {n})" for n in list_limits())
    return f"case.status: closed and ({passed})"
