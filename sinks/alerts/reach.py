"""Whether the index answers, and lets us in, for whoever sets it up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from elasticsearch import AuthorizationException

from sinks.alerts.client import connect, translate_errors

if TYPE_CHECKING:
    from pipelines.settings import Settings


def describe_reach(settings: Settings) -> str:
    """What was found, in a few words; changes nothing.

    TransientError when it does not answer, SinkError when it refuses the user or its certificate
    is refused.
    """
    elasticsearch = settings.elasticsearch
    with connect(elasticsearch) as client:
        try:
            with translate_errors(elasticsearch, passing=AuthorizationException):
                health = f"it is {client.cluster.health()['status']}"
        except AuthorizationException:
            # Who only reads alerts may not ask, and was let in all the same.
            health = "this user may not ask for its health"
    return f"{elasticsearch.url} answers; {health}"
