"""One change of the alert indices at a time, whichever machine it is made from.

The lock is a document in Elasticsearch, in an index beside those it is for:

1. it is created, by whoever wants to change the indices;
2. its holder writes it anew every few seconds, and before each step that cannot be taken back;
3. at the end its holder removes it.

Who finds it there watches it for a while. If it changes, its holder is alive, and who came second
is refused. If it goes, its holder has ended, and it is created anew. If it does neither, its holder
was killed or is cut off, and the lock is taken over. Each write names the state that was seen
before it, so of two who take it over one is refused, and a holder that comes back finds out at its
next write. No two clocks are compared.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from elasticsearch import (
    ApiError,
    BadRequestError,
    ConflictError,
    Elasticsearch,
    NotFoundError,
    TransportError,
)

from pipelines.errors import TransientError
from sinks.alerts.client import connect, translate_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from pipelines.settings import Settings

RENEW_SECONDS = 3.0
LEASE_SECONDS = 15.0
"""A lock that has not changed for so long is nobody's."""
_POLL_SECONDS = 0.5
_ID = "indices"
_EXISTS = "resource_already_exists_exception"
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who changes the indices."""

    token: str
    """Of this one time."""
    work: str
    host: str
    pid: int
    since: str

    def describe(self) -> str:
        """As others are told of it."""
        return f"`{self.work}` (process {self.pid} on {self.host}, since {self.since})"


@dataclass(frozen=True, slots=True)
class _State:
    """One state of the document."""

    seq_no: int
    primary_term: int


@contextmanager
def hold_indices(
    settings: Settings, work: str, *, say: Callable[[str], None] = lambda _: None
) -> Iterator[Callable[[], None]]:
    """Be the only one who changes the indices; ``work`` is what others are told of it.

    Yields a function to call before each step that cannot be taken back: TransientError if the
    lock has been taken over, which happens to a process that stood still for long. TransientError
    at the beginning if another is at work; that may take ``LEASE_SECONDS`` to find out.
    """
    name = name_lock(settings.elasticsearch.index)
    me = Holder(
        token=secrets.token_hex(8),
        work=work,
        host=socket.gethostname(),
        pid=os.getpid(),
        since=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )
    with connect(settings.elasticsearch) as client:
        with translate_errors(settings.elasticsearch):
            _make_index(client, name)
            state = _take(client, name, me, say)
        lease = _Lease(client, name, me, state)
        with lease:

            def confirm() -> None:
                with translate_errors(settings.elasticsearch):
                    lease.renew()

            yield confirm


def name_lock(alias: str) -> str:
    """The index that the lock is in: neither a month nor found by a search.

    >>> name_lock("fraud-alerts")
    'fraud-alerts-lock'
    """
    return f"{alias}-lock"


def _make_index(client: Elasticsearch, name: str) -> None:
    if client.indices.exists(index=name):
        return
    try:
        client.indices.create(
            index=name,
            settings={"number_of_shards": 1, "auto_expand_replicas": "0-1", "hidden": True},
            mappings={"dynamic": False},
        )
    except BadRequestError as error:
        if error.error != _EXISTS:
            raise


def _take(client: Elasticsearch, name: str, me: Holder, say: Callable[[str], None]) -> _State:
    while True:
        # 1. create
        try:
            return _write(client, name, me, op_type="create")
        except ConflictError:
            found = _read(client, name)
        if found is not None and (taken := _outwait(client, name, me, found, say)) is not None:
            return taken


def _outwait(
    client: Elasticsearch,
    name: str,
    me: Holder,
    found: tuple[_State, Holder],
    say: Callable[[str], None],
) -> _State | None:
    """Take the lock over from who does not move; None when it has gone meanwhile."""
    seen, other = found
    say(f"{other.describe()} holds the lock: is it alive? That takes {LEASE_SECONDS:.0f} s at most")
    deadline = time.monotonic() + LEASE_SECONDS
    while time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        now = _read(client, name)
        if now is None:
            return None
        if now[0] != seen:
            raise _refuse(now[1])
    try:
        taken = _write(client, name, me, if_seq_no=seen.seq_no, if_primary_term=seen.primary_term)
    except ConflictError as error:
        now = _read(client, name)
        if now is None:
            return None
        raise _refuse(now[1]) from error
    say(f"{other.describe()} has not been heard of for {LEASE_SECONDS:.0f} s: taken over from it")
    _LOG.warning("event=lock_taken_over index=%s host=%s pid=%d", name, other.host, other.pid)
    return taken


def _refuse(other: Holder) -> TransientError:
    return TransientError(
        f"the alert indices are being changed by {other.describe()}: wait for its end, then try "
        "again"
    )


def _write(client: Elasticsearch, name: str, me: Holder, **conditions: Any) -> _State:
    written = client.index(index=name, id=_ID, document=asdict(me), **conditions)
    return _State(int(written["_seq_no"]), int(written["_primary_term"]))


def _read(client: Elasticsearch, name: str) -> tuple[_State, Holder] | None:
    """The lock as it is; None when nobody holds it."""
    try:
        found = client.get(index=name, id=_ID)
    except NotFoundError:
        return None
    source: Mapping[str, Any] = found["_source"]
    # What a later release adds says nothing to this one.
    holder = Holder(**{field.name: source[field.name] for field in fields(Holder)})
    return _State(int(found["_seq_no"]), int(found["_primary_term"])), holder


class _Lease:
    """The lock while it is held: kept alive by a thread, removed at the end."""

    def __init__(self, client: Elasticsearch, name: str, me: Holder, state: _State) -> None:
        self._client, self._name, self._me, self._state = client, name, me, state
        self._one_write = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._keep_alive, name="index-lock", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        try:
            self._client.delete(
                index=self._name,
                id=_ID,
                if_seq_no=self._state.seq_no,
                if_primary_term=self._state.primary_term,
            )
        except (ApiError, TransportError) as error:
            # Taken over by another, or nobody's when the lease has ended.
            _LOG.warning("event=lock_left index=%s reason=%r", self._name, str(error))

    def renew(self) -> None:
        """Write it anew; TransientError if it is another's by now."""
        with self._one_write:
            try:
                self._state = self._write()
            except ConflictError:
                found = _read(self._client, self._name)
                if found is None:
                    msg = "the lock of the alert indices was taken over and given up: try again"
                    raise TransientError(msg) from None
                state, other = found
                if other.token != self._me.token:
                    raise _refuse(other) from None
                # An earlier write of ours, whose answer was lost.
                self._state = state
                self._state = self._write()

    def _write(self) -> _State:
        return _write(
            self._client,
            self._name,
            self._me,
            if_seq_no=self._state.seq_no,
            if_primary_term=self._state.primary_term,
        )

    def _keep_alive(self) -> None:
        while not self._over.wait(RENEW_SECONDS):
            try:
                self.renew()
            except (ApiError, TransportError, TransientError) as error:
                # What is being done finds out by itself, before it takes the next step.
                _LOG.warning("event=lock_not_renewed index=%s reason=%r", self._name, str(error))
