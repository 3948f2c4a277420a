"""``fraudlake sink``: the two sinks, in the foreground, as parts of the stack, or given away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from fraudlake.commands.sink_control import restart, start, stop

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from pipelines.settings import Settings


def register(app: typer.Typer) -> None:
    """Hang the command group on the application."""
    group = typer.Typer(
        help="Start and stop the sinks that `fraudlake up` runs, or run one in the foreground.",
        no_args_is_help=True,
    )
    group.command()(start)
    group.command()(stop)
    group.command()(restart)
    group.command()(lakehouse)
    group.command()(alerts)
    group.command()(hand_over)
    group.command()(take_back)
    app.add_typer(group, name="sink")


def lakehouse(
    accept_gap: Annotated[
        bool,
        typer.Option(
            "--accept-gap",
            help="Start even where records are gone from Kafka that the tables do not have.",
        ),
    ] = False,
) -> None:
    """Store decisions, labels and dead letters in Iceberg, each record in exactly one row.

    Goes on where the tables end, however it was stopped. SIGTERM or Ctrl-C commits what was read.

    Example: FRAUDLAKE_LAKEHOUSE_COMMIT_SECONDS=60 fraudlake sink lakehouse
    """
    from fraudlake.stack.workers import LAKEHOUSE_SINK
    from pipelines.settings import Settings
    from sinks.lakehouse.ingest.run import run

    settings = Settings.from_env()
    _configure_logging()
    run(
        settings,
        stop=_stop_on_signal(),
        accept_gap=accept_gap,
        on_session=_mark(settings, LAKEHOUSE_SINK),
    )


def alerts() -> None:
    """Index alerts for investigators in Elasticsearch; what they write there is kept.

    Example: fraudlake sink alerts
    """
    from fraudlake.stack.workers import ALERTS_SINK
    from pipelines.settings import Settings
    from sinks.alerts.run import run

    settings = Settings.from_env()
    _configure_logging()
    run(settings, stop=_stop_on_signal(), on_session=_mark(settings, ALERTS_SINK))


def hand_over() -> None:
    """Print the lakehouse sink as a script for Flink's SQL client, going on where it ended.

    From now on the sink refuses to write, until `fraudlake sink take-back`. The whole way, and the
    way back: docs/catalogs.md.

    Example: fraudlake sink hand-over > lakehouse.sql
    """
    from pipelines.settings import Settings
    from sinks.lakehouse.handover.hand_over import hand_over as render

    typer.echo(render(Settings.from_env()), nl=False)


def take_back() -> None:
    """Let the lakehouse sink go on where a Flink job has ended. Stop the job first.

    Example: fraudlake sink take-back && fraudlake sink lakehouse
    """
    from pipelines.settings import Settings
    from sinks.lakehouse.handover.take_back import take_back as move

    moved = move(Settings.from_env())
    for name, position in moved.items():
        typer.echo(f"{name}: goes on at offsets {dict(position.next_offsets)}")
    if not moved:
        typer.echo(
            "nothing to take back: no table was handed over, and no Flink job has written to one"
        )


def _mark(settings: Settings, part: str) -> Callable[[bool], None]:
    """Shows `fraudlake status` whether the sink has all it needs."""
    from fraudlake.stack.session_mark import set_mark

    return lambda is_open: set_mark(settings.stack.home, part, is_open=is_open)


def _configure_logging() -> None:
    import logging

    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s", force=True
    )
    # Each request of the Elasticsearch client and each look at a table would be a line of its own.
    for name in ("elastic_transport", "pyiceberg"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _stop_on_signal() -> threading.Event:
    """Set by the first SIGTERM or SIGINT; a second one ends the process at once."""
    import signal
    import threading

    stop = threading.Event()

    def ask(number: int, _frame: object) -> None:
        stop.set()
        signal.signal(number, signal.SIG_DFL)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    return stop
