"""What runs and what does not: each part as the supervisor, the system and its own door see it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

from fraudlake.job.facts import read_given_up
from fraudlake.stack.home import Home
from fraudlake.stack.parts import JOB, apply_endpoints, endpoint_of, local_servers
from fraudlake.stack.processes import find_processes, memory_bytes
from fraudlake.stack.readiness import answers, read_job
from fraudlake.stack.supervisor import ProgramState, Supervisor
from pipelines.errors import JobError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipelines.settings import Settings

PartState = Literal[
    "running", "starting", "restarting", "not answering", "stopped", "failed", "down"
]
_BY_SUPERVISOR: dict[str, PartState] = {
    "STARTING": "starting",
    "BACKOFF": "restarting",
    "FATAL": "failed",
    "EXITED": "failed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One line of ``fraudlake status``."""

    name: str
    state: PartState
    is_external: bool = False
    pid: int | None = None
    uptime_seconds: int = 0
    rss_bytes: int = 0
    endpoint: str = ""
    metrics: str = ""
    """Where Prometheus finds it."""
    restarts: int = 0
    last_exit: str = ""
    note: str = ""
    """What a person should know of it; empty: nothing."""

    @property
    def is_well(self) -> bool:
        """Whether it does its work."""
        return self.state == "running"


@dataclass(frozen=True, slots=True, kw_only=True)
class StackStatus:
    """All parts that were asked for, and the servers that run elsewhere."""

    home: str
    is_up: bool
    remains: int
    """Processes that have lost their supervisor; ``fraudlake down`` ends them."""
    parts: Sequence[Part]

    @property
    def rss_bytes(self) -> int:
        """The memory of all local processes together."""
        return sum(part.rss_bytes for part in self.parts)

    @property
    def is_well(self) -> bool:
        """Whether the stack is up and every part does its work."""
        return self.is_up and all(part.is_well for part in self.parts)

    def as_json(self) -> dict[str, object]:
        """For a machine to read."""
        parts = [{**asdict(part), "is_well": part.is_well} for part in self.parts]
        return {
            "home": self.home,
            "is_up": self.is_up,
            "is_well": self.is_well,
            "remains": self.remains,
            "rss_bytes": self.rss_bytes,
            "parts": parts,
        }


def read_status(settings: Settings) -> StackStatus:
    """Look at every part once; takes a few seconds at most, and changes nothing."""
    home = Home(path=settings.stack.home.resolve())
    supervisor = Supervisor(home)
    endpoints = home.read_endpoints()
    local = apply_endpoints(settings, endpoints)
    is_up = supervisor.is_running()
    states = supervisor.states() if is_up else {}
    exits = supervisor.read_exits() if is_up else {}
    wanted = list(endpoints.get("up", {}).get("parts", [])) or local_servers(settings)
    dagster_url = str(endpoints.get("dagster", {}).get("url", ""))
    parts: list[Part] = []
    for name in wanted:
        if name == JOB:
            parts.append(_job(local))
        else:
            part = _part(name, states.get(name), exits.get(name, []), local, dagster_url)
            metrics = str(endpoints.get("metrics", {}).get(name, ""))
            parts.append(replace(part, metrics=metrics))
    if is_up:
        parts.append(_supervisor(supervisor))
    return StackStatus(
        home=str(home.path),
        is_up=is_up,
        remains=0 if is_up else len(find_processes(home.path)),
        parts=[*_external(local), *parts],
    )


def _part(
    name: str,
    state: ProgramState | None,
    exits: Sequence[str],
    settings: Settings,
    dagster_url: str,
) -> Part:
    pid = None if state is None else state.pid
    return Part(
        name=name,
        state=_judge(name, state, settings, dagster_url),
        pid=pid,
        uptime_seconds=0 if state is None else state.uptime_seconds,
        rss_bytes=0 if pid is None else memory_bytes(pid),
        endpoint=endpoint_of(name, settings, dagster_url=dagster_url),
        restarts=len(exits),
        last_exit=exits[-1] if exits else "",
    )


def _judge(
    name: str, state: ProgramState | None, settings: Settings, dagster_url: str
) -> PartState:
    if state is None:
        return "down"
    if state.state == "RUNNING":
        well = answers(name, settings, dagster_url=dagster_url)
        return "running" if well else "not answering"
    return _BY_SUPERVISOR.get(state.state, "down")


def _job(settings: Settings) -> Part:
    """The job lives inside Flink: no process of its own, and Flink restarts it."""
    job = read_job(settings)
    state: PartState = "down"
    is_alive = job is not None and job.is_alive
    if job is not None and job.is_alive:
        state = "running" if job.all_tasks_run else "restarting"
    elif job is not None:
        state = "stopped" if job.state in ("FINISHED", "CANCELED") else "failed"
    return Part(
        name=JOB,
        state=state,
        uptime_seconds=job.uptime_seconds if job is not None and job.is_alive else 0,
        note="" if is_alive else _explain(settings),
    )


def _explain(settings: Settings) -> str:
    """Why nobody starts the job; a memory that cannot be read hides no other part."""
    try:
        given_up = read_given_up(settings)
    except JobError as error:
        return str(error)
    return "" if given_up is None else f"given up: {given_up}"


def _supervisor(supervisor: Supervisor) -> Part:
    pid = supervisor.pid()
    rss = memory_bytes(pid, descendants=False)  # the others stand in lines of their own
    return Part(name="supervisor", state="running", pid=pid, rss_bytes=rss)


def _external(settings: Settings) -> list[Part]:
    servers = (
        ("kafka", "kafka", settings.kafka.external),
        ("flink", "jobmanager", settings.flink.external),
        ("elasticsearch", "elasticsearch", settings.elasticsearch.external),
    )
    return [
        Part(
            name=name,
            state="running" if answers(door, settings) else "not answering",
            is_external=True,
            endpoint=endpoint_of(door, settings, dagster_url=""),
        )
        for name, door, is_external in servers
        if is_external
    ]
