"""Starting the whole stack.

``start_stack``, in numbered steps:

1. take the home's lock; a second ``up`` or ``down`` waits or is told so;
2. if a supervisord answers, keep it and what it runs; else end what an earlier one left behind;
3. find Java and Flink, fetch the jars, choose ports, write them down;
4. start supervisord, then all servers at once, and wait until each really answers;
5. create the topics;
6. submit the job and, beside it, wait for Elasticsearch, start the sinks and the job's keeper
   (and Dagster), and wait for them.

Whatever goes wrong in between, or a Ctrl-C, ends everything that this call has started. A kill of
this process leaves a supervisord that the next ``up`` takes over and ``down`` ends.
"""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING

from fraudlake.stack.home import Endpoints, Home
from fraudlake.stack.job import submit_if_missing
from fraudlake.stack.last_words import last_words
from fraudlake.stack.observer import Observer, Silent
from fraudlake.stack.parts import (
    JOB,
    apply_endpoints,
    check_children_agree,
    choose_endpoints,
    local_servers,
    plan_programs,
    wanted_workers,
)
from fraudlake.stack.readiness import answers, read_job
from fraudlake.stack.shutdown import clear
from fraudlake.stack.supervisor import Supervisor, render_conf
from pipelines.errors import StackError
from pipelines.flink import FlinkRest
from pipelines.kafka import create_topics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from fraudlake.stack.program import Program
    from pipelines.settings import Settings

# The job needs no alert index, so it is submitted while this one still starts.
SLOWEST = "elasticsearch"
READY_SECONDS = 240.0
POLL_SECONDS = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One call of ``start_stack``: what it works with, and what it has started so far."""

    supervisor: Supervisor
    settings: Settings
    home: Home
    programs: Mapping[str, Program]
    endpoints: Endpoints
    observer: Observer
    started: list[str]
    given_up: Event = field(default_factory=Event)
    """Set when the start has failed: nobody waits for what still runs beside it."""


def start_stack(
    settings: Settings,
    *,
    servers_only: bool = False,
    ui: bool = False,
    observer: Observer | None = None,
    environ: Mapping[str, str] = os.environ,
    directory: Path | None = None,
) -> Settings:
    """Start what does not run yet; the settings with the addresses of the local servers.

    Idempotent. StackError: a part cannot start or has died, with its last words. ``directory`` is
    where the sinks run, and so where they find ``fraudlake.toml``; None: the working folder.
    """
    home = Home(path=settings.stack.home.resolve())
    listener = Silent() if observer is None else observer
    folder = Path.cwd() if directory is None else directory
    started: list[str] = []
    with home.lock(wait_seconds=1.0):  # 1.
        supervisor = Supervisor(home)
        kept = supervisor.is_running()  # 2.
        if not kept:
            clear(home, listener)
        try:
            listener.report("jars", "preparing")
            run = _plan(  # 3.
                supervisor,
                home,
                settings,
                directory=folder,
                environ=environ,
                observer=listener,
                started=started,
            )
            if not servers_only:
                check_children_agree(run.settings, environ, folder)
            listener.report("jars", "ready")
            if kept:
                _tell_changes(run)
            else:
                supervisor.start(list(run.programs.values()), environ)  # 4.
            servers = local_servers(settings)
            workers = [] if servers_only else wanted_workers(settings, ui=ui)
            _remember(run, [*servers, *workers, *([] if servers_only else [JOB])])
            _start(run, servers)
            _await(run, [part for part in servers if part != SLOWEST])
            create_topics(run.settings.kafka, run.settings.kafka.topics().all())  # 5.
            with _beside(run, [] if servers_only else [_run_job]):  # 6.
                _await(run, [part for part in servers if part == SLOWEST])
                _start(run, workers)
                _await(run, workers)
        except BaseException:
            if not kept:
                clear(home, listener)
            for name in started if kept else ():
                supervisor.halt(name)
            raise
    return run.settings


def _plan(
    supervisor: Supervisor,
    home: Home,
    settings: Settings,
    *,
    directory: Path,
    environ: Mapping[str, str],
    observer: Observer,
    started: list[str],
) -> _Run:
    home.make()
    endpoints = home.read_endpoints()
    if not endpoints:
        endpoints = choose_endpoints(settings)
        home.write_endpoints(endpoints)
    local = apply_endpoints(settings, endpoints)
    ports = {name: int(str(port)) for name, port in endpoints["ports"].items()}
    programs = plan_programs(home, local, ports, directory=directory, environ=environ)
    return _Run(
        supervisor=supervisor,
        settings=local,
        home=home,
        programs={program.name: program for program in programs},
        endpoints=endpoints,
        observer=observer,
        started=started,
    )


@contextmanager
def _beside(run: _Run, tasks: Sequence[Callable[[_Run], None]]) -> Iterator[None]:
    """Do the tasks in a thread while the body runs, and wait for them at its end.

    An error of the body does not wait: what the tasks have started ends with the stack.
    """
    pool = ThreadPoolExecutor(max_workers=1)
    futures = [pool.submit(task, run) for task in tasks]
    try:
        yield
        for future in futures:
            future.result()
    except BaseException:
        run.given_up.set()
        raise
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _tell_changes(run: _Run) -> None:
    conf = run.home.supervisor_conf
    wanted = render_conf(run.home, list(run.programs.values()))
    if not conf.is_file() or conf.read_text(encoding="utf-8") != wanted:
        run.observer.report("settings", "changed")


def _remember(run: _Run, parts: Sequence[str]) -> None:
    """Write down what was asked for, so that ``status`` knows what is missing."""
    before = run.endpoints.get("up", {}).get("parts", [])
    wanted = [*before, *(part for part in parts if part not in before)]
    run.home.write_endpoints({**run.endpoints, "up": {"parts": wanted}})


def _start(run: _Run, parts: Sequence[str]) -> None:
    states = run.supervisor.states()
    for part in parts:
        if part not in states:
            msg = f"{part} is new since the stack was started. Run `fraudlake down`, then `up`"
            raise StackError(msg)
        if states[part].state in ("RUNNING", "STARTING", "BACKOFF"):
            run.observer.report(part, "already runs")
            continue
        run.observer.report(part, "starting")
        run.programs[part].prepare()
        run.started.append(part)
        run.supervisor.launch(part)


def _await(run: _Run, parts: Sequence[str]) -> None:
    """Wait until every part answers; one that ends meanwhile is a StackError."""
    before = {part: len(exits) for part, exits in run.supervisor.read_exits().items()}
    pending = list(parts)
    deadline = time.monotonic() + READY_SECONDS
    while pending:
        states = run.supervisor.states()
        exits = run.supervisor.read_exits()
        for part in tuple(pending):
            died = len(exits.get(part, [])) > before.get(part, 0)
            if died or states[part].state in ("BACKOFF", "EXITED", "FATAL"):
                raise StackError(last_words(run.home, part, exits.get(part, [])))
            if states[part].state == "RUNNING" and _answers(run, part):
                pending.remove(part)
                if part in run.started:
                    run.observer.report(part, "ready")
        if pending and time.monotonic() > deadline:
            log = run.home.log(pending[0])
            msg = f"{pending[0]} runs and does not answer after {READY_SECONDS:.0f} s. See {log}"
            raise StackError(msg)
        if pending:
            time.sleep(POLL_SECONDS)


def _answers(run: _Run, part: str) -> bool:
    return answers(part, run.settings, dagster_url=str(run.endpoints["dagster"]["url"]))


def _run_job(run: _Run) -> None:
    """Submit the job unless it runs, and wait until all its tasks do.

    The keeper may be quicker: then it is the keeper's job that is waited for.
    """
    run.observer.report(JOB, "starting")
    was_missing = submit_if_missing(run.settings)
    deadline = time.monotonic() + READY_SECONDS
    while not run.given_up.is_set():
        job = read_job(run.settings)
        if job is not None and job.all_tasks_run:
            run.observer.report(JOB, "ready" if was_missing else "already runs")
            return
        if job is not None and not job.is_alive:
            raise StackError(_why_no_job(run, job.id, job.state))
        if time.monotonic() > deadline:
            state = "unknown to Flink" if job is None else job.state
            found = "" if job is None else job.id
            raise StackError(_why_no_job(run, found, f"{state} after {READY_SECONDS:.0f} s"))
        time.sleep(POLL_SECONDS)


def _why_no_job(run: _Run, job_id: str, state: str) -> str:
    flink = run.settings.flink
    said = None if job_id == "" else FlinkRest(flink.rest_url).root_cause(job_id)
    page = "" if job_id == "" else f" Its page: {flink.page_of(job_id)}"
    return f"the job {flink.job_name} is {state}: {said or 'no failure is recorded'}.{page}"
