"""What is kept of a customer and the obvious reference agree on random streams of updates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kernel_process import running

from pipelines.contracts.customer import Customer
from pipelines.reference.customers import profile_as_of

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Iterator, Sequence

TIMES = st.integers(-2, 12)
FIELDS = ("max_speed_kmh", "home_latitude", "home_longitude")
UPDATES = st.builds(
    Customer,
    customer_id=st.just("c"),
    updated_at_ms=TIMES,
    max_speed_kmh=st.none() | st.floats(1, 1000),
    home_latitude=st.none() | st.floats(-90, 90),
    home_longitude=st.none() | st.floats(-180, 180),
)
STEPS = st.lists(UPDATES | TIMES | st.just("forget"), max_size=40)


class Memory:
    """The process that remembers one customer."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def forget(self) -> None:
        self._send("forget")

    def update(self, profile: Customer, *, word: str = "update", fields: int = 3) -> None:
        values = [getattr(profile, name) for name in FIELDS[:fields]]
        words = ["" if value is None else repr(value) for value in values]
        self._send("\t".join([word, str(profile.updated_at_ms), *words]))

    def ask(self, time_ms: int) -> list[float | None] | None:
        self._send(f"ask\t{time_ms}")
        answer = self._read()
        if answer == "unknown":
            return None
        return [None if word == "" else float(word) for word in answer.split("\t")]

    def size(self) -> int:
        self._send("size")
        return int(self._read())

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def _read(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().rstrip("\n")


@pytest.fixture(scope="module")
def memory(class_path: str) -> Iterator[Memory]:
    with running(class_path, "io.fraudlake.profile.CustomerHarness") as process:
        yield Memory(process)


def fields_of(profile: Customer | None) -> list[float | None] | None:
    return None if profile is None else [getattr(profile, name) for name in FIELDS]


@settings(max_examples=300, deadline=None)
@given(steps=STEPS)
def test_every_transaction_gets_the_profile_of_the_reference(
    memory: Memory, steps: Sequence[Customer | int | str]
) -> None:
    memory.forget()
    profiles: list[Customer] = []
    for step in steps:
        if isinstance(step, Customer):
            profiles.append(step)
            memory.update(step)
        elif isinstance(step, int):
            assert memory.ask(step) == fields_of(profile_as_of(profiles, step))
        else:
            profiles.clear()
            memory.forget()


def profile(at_ms: int, speed: float) -> Customer:
    return Customer(customer_id="c", updated_at_ms=at_ms, max_speed_kmh=speed)


def test_profile_of_the_release_before_is_read_and_goes_on(memory: Memory) -> None:
    memory.update(profile(5, 90), word="one")
    assert memory.ask(0) == memory.ask(5) == [90, None, None]
    memory.update(profile(7, 50))
    assert [memory.ask(time_ms) for time_ms in (4, 5, 6, 7)] == [
        [90, None, None],
        [90, None, None],
        [90, None, None],
        [50, None, None],
    ]


def test_profile_written_before_a_field_existed_is_shorter(memory: Memory) -> None:
    memory.update(profile(5, 90), word="one", fields=1)
    memory.update(profile(7, 50))
    assert (memory.ask(5), memory.ask(7)) == ([90], [50, None, None])


def test_what_is_kept_is_bounded_however_often_a_profile_changes(memory: Memory) -> None:
    memory.forget()
    sizes = set()
    for number in range(1000):
        memory.update(profile(number, 90))
        sizes.add(memory.size())
    assert max(sizes) == memory.size() == 2 + 4 * (9 + 3 * 8)
