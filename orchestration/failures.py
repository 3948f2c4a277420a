"""Our errors in Dagster's words: worth another try, or not."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import dagster as dg

from pipelines.errors import TerminalError, TransientError

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = dg.RetryPolicy(max_retries=3, delay=5, backoff=dg.Backoff.EXPONENTIAL)
"""For what asks a server: one that is starting answers a little later."""


@contextmanager
def translate_failures() -> Iterator[None]:
    """A known error, raised inside, fails the step with its sentence.

    Only where another system is away may the step's retry policy try again.
    """
    try:
        yield
    except TransientError as error:
        raise dg.Failure(description=str(error), allow_retries=True) from error
    except TerminalError as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
