"""Why a record breaks its contract: one code for each kind of fault."""

from __future__ import annotations

from enum import StrEnum

from pipelines.errors import TerminalError


class FaultReason(StrEnum):
    """The codes a dead letter of stage ``decode`` can carry."""

    EMPTY = "empty"
    """No bytes at all, or a tombstone."""
    NOT_JSON = "not_json"
    """Not one JSON value in UTF-8."""
    NOT_AN_OBJECT = "not_an_object"
    """JSON, but not an object."""
    MISSING_FIELD = "missing_field"
    """A required field is absent or null."""
    WRONG_TYPE = "wrong_type"
    """A field has another JSON type."""
    UNKNOWN_VALUE = "unknown_value"
    """A field of a closed set holds something else."""
    BAD_FORMAT = "bad_format"
    """Text of the wrong shape or length."""
    BAD_TIME = "bad_time"
    """Not an RFC 3339 time in UTC, or not a day of the calendar."""
    OUT_OF_RANGE = "out_of_range"
    """A number outside its limits."""
    UNKNOWN_CURRENCY = "unknown_currency"
    """No exchange rate for the currency."""
    EVENT_TIME_IN_FUTURE = "event_time_in_future"
    """More than ten minutes ahead of the record's Kafka time."""


class ContractFault(TerminalError):
    """A record breaks its contract; ``reason`` is a code, the message a sentence."""

    def __init__(self, reason: FaultReason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
