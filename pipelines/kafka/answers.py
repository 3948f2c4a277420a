"""What a broker answers: awaited for so long at most, asked again while it is busy, and explained.

TransientError: no answer, or a broker that is busy, starting or moving a coordinator.
TerminalError: it will not get better.
"""

from __future__ import annotations

import time
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import TYPE_CHECKING, TypeVar

from confluent_kafka import KafkaError, KafkaException

from pipelines.errors import FraudlakeError, TerminalError, TransientError

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

REQUEST_SECONDS = 10.0
BUSY_TRIES = 3
BUSY_PAUSE_SECONDS = 0.3

_BUSY = frozenset(
    {
        KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
        KafkaError.COORDINATOR_NOT_AVAILABLE,
        KafkaError.NOT_COORDINATOR,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.NOT_CONTROLLER,
        KafkaError.UNKNOWN_TOPIC_OR_PART,
        KafkaError._UNKNOWN_PARTITION,
        KafkaError._UNKNOWN_TOPIC,
        KafkaError._WAIT_COORD,
    }
)
"""Answers of a broker that has just started, or has not heard of a new topic yet."""
_AWAY = frozenset(
    {
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._MSG_TIMED_OUT,
        KafkaError._RESOLVE,
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._TRANSPORT,
    }
)

_Answer = TypeVar("_Answer")


def explain(error: KafkaException, doing: str) -> FraudlakeError:
    """``error`` as ours: TransientError where another try may help, else TerminalError."""
    code = code_of(error)
    sentence = f"{doing} failed: {sentence_of(error)}"
    if code in _BUSY or code in _AWAY or error.args[0].retriable():
        return TransientError(f"{sentence}; try again when the broker is up and settled")
    return TerminalError(sentence)


def await_answer(
    future: Future[_Answer], doing: str, *, seconds: float = REQUEST_SECONDS
) -> _Answer:
    """The broker's answer to what we are ``doing``; an error of ours if it refuses or is away."""
    try:
        # The broker's own limit comes first; this one is for a client that never answers.
        return future.result(seconds * 1.5)
    except FutureTimeoutError as error:
        msg = f"{doing} took longer than {seconds * 1.5:.0f} s; try again"
        raise TransientError(msg) from error
    except KafkaException as error:
        raise explain(error, doing) from error


def retry_busy(ask: Callable[[], _Answer]) -> _Answer:
    """The answer of a broker that may have just started: it is given a moment, a few times."""
    for _ in range(BUSY_TRIES - 1):
        try:
            return ask()
        except TransientError as error:
            if code_of(error.__cause__) not in _BUSY:
                raise
            time.sleep(BUSY_PAUSE_SECONDS)
    return ask()


def code_of(error: BaseException | None) -> int | None:
    """Kafka's own code of an error; None if it is none of Kafka's."""
    return error.args[0].code() if isinstance(error, KafkaException) else None


def sentence_of(error: KafkaException) -> str:
    """What Kafka's client says of an error."""
    return str(error.args[0].str())
