"""Who waits for the lock and what it sees; two real processes are in ``tests/live``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig
from elasticsearch import ConflictError, NotFoundError

from pipelines.errors import TransientError
from sinks.alerts import index_lock
from sinks.alerts.index_lock import Holder, _State, _take

if TYPE_CHECKING:
    from collections.abc import Callable

META = ApiResponseMeta(
    status=409,
    http_version="1.1",
    headers=HttpHeaders(),
    duration=0.0,
    node=NodeConfig(scheme="http", host="127.0.0.1", port=9),
)
THEIRS = {"token": "a", "work": "theirs", "host": "h", "pid": 1, "since": "then"}
ME = Holder(token="b", work="mine", host="h", pid=2, since="now")


class Lock:
    """The document; ``happens`` is done to it before the second time that it is read."""

    def __init__(self, happens: Callable[[Lock], None]) -> None:
        self.document: dict[str, Any] | None = {**THEIRS, "of_a_later_release": True}
        self.seq_no = 7
        self._happens = happens
        self._reads = 0

    def get(self, **_: object) -> dict[str, Any]:
        self._reads += 1
        if self._reads == 2:
            self._happens(self)
        if self.document is None:
            raise NotFoundError("gone", META, {})
        return {"_source": self.document, "_seq_no": self.seq_no, "_primary_term": 1}

    def index(
        self, *, document: dict[str, Any], op_type: str = "", if_seq_no: int = -1, **_: object
    ) -> dict[str, Any]:
        if self.document is not None if op_type == "create" else self.seq_no != if_seq_no:
            raise ConflictError("conflict", META, {})
        self.document = document
        self.seq_no += 1
        return {"_seq_no": self.seq_no, "_primary_term": 1}

    def end(self) -> None:
        self.document = None
        self.seq_no += 1

    def renew(self) -> None:
        self.seq_no += 1


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_lock, "_POLL_SECONDS", 0.001)
    monkeypatch.setattr(index_lock, "LEASE_SECONDS", 0.2)


def take(lock: Lock) -> tuple[_State, list[str]]:
    said: list[str] = []
    return _take(lock, "fraud-alerts-lock", ME, said.append), said  # type: ignore[arg-type]


def test_who_waits_takes_the_lock_when_its_holder_ends() -> None:
    """It was told to try again, although it had only to go on."""
    lock = Lock(Lock.end)

    state, said = take(lock)

    assert lock.document is not None
    assert lock.document["token"] == "b"
    assert state == _State(9, 1)
    assert len(said) == 1
    assert said[0].startswith("`theirs` (process 1 on h, since then) holds the lock")


def test_who_waits_is_refused_when_the_holder_is_alive() -> None:
    with pytest.raises(TransientError, match="being changed by `theirs`"):
        take(Lock(Lock.renew))


def test_lock_that_does_not_move_is_taken_over() -> None:
    _, said = take(Lock(lambda _: None))

    assert said[1].endswith("taken over from it")
