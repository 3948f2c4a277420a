"""`fraudlake up`, `down`, `status`, `logs` and `jars`: the local stack of real servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from fraudlake.stack.status import StackStatus

# Dagster's own first page shows runs; what a newcomer wants to see is a page further.
_GRAPH = "/asset-groups"

jars = typer.Typer(
    name="jars",
    help="The jars of the servers and the job: fetch, check, build, lock.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Hang the commands on the application."""
    app.command()(up)
    app.command()(down)
    app.command()(status)
    app.command()(logs)
    app.add_typer(jars)


def up(
    ui: Annotated[bool, typer.Option("--ui", help="Start Dagster too.")] = False,
    servers: Annotated[
        bool, typer.Option("--servers", help="Only the servers: no job, no sinks.")
    ] = False,
) -> None:
    """Start Kafka, Flink, Elasticsearch, the job and the sinks, and wait until all answer.

    What already runs is left alone, so a second call repairs what is missing. Servers marked
    external in the settings are used, not started. Data and logs are kept in `.fraudlake`.

    Example: fraudlake up --ui && fraudlake status
    """
    from rich.console import Console

    from fraudlake.stack.lifecycle import start_stack
    from fraudlake.stack.progress import Progress
    from fraudlake.stack.status import read_status
    from fraudlake.stack.workers import DAGSTER
    from fraudlake.stopping import interrupt_on_ending
    from pipelines.settings import Settings

    interrupt_on_ending()
    console = Console()
    with Progress(console) as progress:
        settings = start_stack(Settings.from_env(), servers_only=servers, ui=ui, observer=progress)
    for part in read_status(settings).parts:
        if part.endpoint != "":
            page = f"{part.endpoint}{_GRAPH}" if part.name == DAGSTER else part.endpoint
            console.print(f"{part.name:<14} {page}", highlight=False, soft_wrap=True)
    console.print("See it with `fraudlake status`, stop it with `fraudlake down`.")


def down(
    purge: Annotated[
        bool, typer.Option("--purge", help="Delete data and logs of the stack as well.")
    ] = False,
) -> None:
    """Stop everything that `fraudlake up` started, also what a crash has left. Data stays.

    Example: fraudlake down
    """
    from rich.console import Console

    from fraudlake.stack.progress import Progress
    from fraudlake.stack.purge import purge_stack
    from fraudlake.stack.shutdown import stop_stack
    from pipelines.settings import Settings

    console = Console()
    settings = Settings.from_env()
    with Progress(console) as progress:
        stopped = stop_stack(settings, observer=progress)
    console.print("stopped" if stopped else f"nothing runs in {settings.stack.home}")
    for path in purge_stack(settings) if purge else ():
        console.print(f"deleted {path}", highlight=False, soft_wrap=True)


def status(
    as_json: Annotated[bool, typer.Option("--json", help="For a machine to read.")] = False,
) -> None:
    """Show each part: state, process, memory, address, restarts. Exit code 1 if one is not well.

    Example: fraudlake status --json | jq .rss_bytes
    """
    from rich.console import Console

    from fraudlake.stack.status import read_status
    from pipelines.settings import Settings

    found = read_status(Settings.from_env())
    console = Console()
    if not console.is_terminal:
        console.width = max(console.width, 120)  # nobody is there to widen the window
    if as_json:
        console.print_json(data=found.as_json())
    else:
        console.print(_status_table(found))
        for part in found.parts:
            if part.note != "":
                console.print(f"{part.name}: {part.note}", soft_wrap=True, highlight=False)
        advice = _advice(found)
        if advice != "":
            console.print(advice, soft_wrap=True, highlight=False)
    raise typer.Exit(0 if found.is_well else 1)


def logs(
    name: Annotated[str, typer.Argument(help="A part, as `fraudlake status` names it.")] = "",
    follow: Annotated[bool, typer.Option("-f", "--follow", help="Wait for more.")] = False,
    lines: Annotated[int, typer.Option("-n", "--lines", help="How many to begin with.")] = 40,
) -> None:
    """Show the end of a part's log; without a name, which logs there are.

    Example: fraudlake logs taskmanager-1 -f
    """
    from fraudlake.stack import tail
    from fraudlake.stack.home import Home
    from pipelines.errors import SettingsError
    from pipelines.settings import Settings

    home = Home(path=Settings.from_env().stack.home.resolve())
    names = sorted(path.stem for path in home.logs.glob("*.log"))
    if name == "":
        typer.echo("\n".join(names) if names else f"no logs in {home.logs}")
        return
    if name not in names:
        msg = f"no log of '{name}' in {home.logs}. There are: {', '.join(names) or 'none'}"
        raise SettingsError(msg)
    for line in tail.last_lines(home.log(name), lines):
        typer.echo(line)
    for text in tail.follow(home.log(name)) if follow else ():
        typer.echo(text, nl=False)


@jars.command("fetch")
def fetch() -> None:
    """Bring the jars of the servers into the cache, each checked against jars.lock.

    Example: fraudlake jars fetch
    """
    from fraudlake.stack.jars import fetch_jars

    typer.echo(fetch_jars().repository)


@jars.command("verify")
def verify() -> None:
    """Look at every cached file again. Exit code 1 if one is not what jars.lock says."""
    from fraudlake.stack.jars import fetch_jars, verify_jars

    found = fetch_jars()
    faults = verify_jars(found)
    typer.echo("\n".join(faults) if faults else f"every file in {found.repository} is as locked")
    raise typer.Exit(1 if faults else 0)


@jars.command("lock")
def lock() -> None:
    """Write jars.lock anew from pom.xml, after a version there was changed."""
    from fraudlake.stack.jars import write_lock

    typer.echo(f"locked {len(write_lock())} files")


@jars.command("kernel")
def kernel() -> None:
    """Compile the job's Java kernel into the cache, if its sources have changed."""
    from fraudlake.stack.kernel import build_kernel

    typer.echo(build_kernel())


def _advice(found: StackStatus) -> str:
    if found.remains > 0:
        return (
            f"{found.remains} processes run on without their supervisor. `fraudlake up` starts "
            "them anew under one, `fraudlake down` ends them."
        )
    if not found.is_up:
        return f"The stack in {found.home} is down. Start it with `fraudlake up`."
    if not found.is_well:
        return "See why with `fraudlake logs NAME`; `fraudlake up` starts what is down."
    return ""


def _status_table(found: StackStatus) -> Table:
    from rich import box
    from rich.table import Table

    table = Table(
        box=box.SIMPLE_HEAD, caption=f"{found.home} · {found.rss_bytes / 2**20:,.0f} MiB together"
    )
    for title in ("part", "state"):
        table.add_column(title, no_wrap=True)
    for title in ("pid", "up for", "memory"):
        table.add_column(title, no_wrap=True, justify="right")
    table.add_column("restarts")
    table.add_column("address", overflow="fold")
    for part in found.parts:
        colour = "green" if part.is_well else "red"
        state = f"[{colour}]{part.state}[/]{' (external)' if part.is_external else ''}"
        table.add_row(
            part.name,
            state,
            "" if part.pid is None else str(part.pid),
            _duration(part.uptime_seconds) if part.uptime_seconds > 0 else "",
            f"{part.rss_bytes / 2**20:,.0f} MiB" if part.rss_bytes > 0 else "",
            f"{part.restarts}, last: {part.last_exit}" if part.restarts > 0 else "",
            "\n".join(filter(None, (part.endpoint, part.metrics))),
        )
    return table


def _duration(seconds: int) -> str:
    hours, rest = divmod(seconds, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}"
