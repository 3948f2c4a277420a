"""``fraudlake sink start | stop | restart``: the sinks that `fraudlake up` keeps running."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Callable

    from fraudlake.stack.sinks import SinkReport
    from pipelines.settings import Settings


class Sink(StrEnum):
    """The sinks, as a person names them."""

    LAKEHOUSE = "lakehouse"
    ALERTS = "alerts"


SinkName = Annotated[Sink | None, typer.Argument(help="One of them; without a name: both.")]
AsJson = Annotated[bool, typer.Option("--json", help="One JSON object, for machines.")]


def start(
    name: SinkName = None,
    unless_stopped: Annotated[
        bool, typer.Option("--unless-stopped", help="Leave alone what `sink stop` has stopped.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Start a sink of the stack, and wait until it has all it needs.

    One that runs is left alone.

    Example: fraudlake sink start lakehouse
    """
    from functools import partial

    from fraudlake.stack.sinks import start_sink

    _act(partial(start_sink, unless_stopped=unless_stopped), name, as_json=as_json)


def stop(name: SinkName = None, as_json: AsJson = False) -> None:
    """Stop a sink of the stack after its last commit; nothing is lost, it goes on from there.

    It stays stopped until `fraudlake sink start` or `fraudlake up`.

    Example: fraudlake sink stop lakehouse
    """
    from fraudlake.stack.sinks import stop_sink

    _act(stop_sink, name, as_json=as_json)


def restart(name: SinkName = None, as_json: AsJson = False) -> None:
    """Stop a sink of the stack and start it, so that it reads its settings anew.

    Example: fraudlake sink restart alerts
    """
    from fraudlake.stack.sinks import restart_sink

    _act(restart_sink, name, as_json=as_json)


def _act(do: Callable[[Settings, str], SinkReport], name: Sink | None, *, as_json: bool) -> None:
    import json
    from dataclasses import asdict

    from fraudlake.stack.workers import ALERTS_SINK, LAKEHOUSE_SINK
    from pipelines.settings import Settings

    settings = Settings.from_env()
    parts = {Sink.LAKEHOUSE: LAKEHOUSE_SINK, Sink.ALERTS: ALERTS_SINK}
    done = [do(settings, parts[sink]) for sink in (Sink if name is None else (name,))]
    if as_json:
        typer.echo(json.dumps({"sinks": [asdict(report) for report in done]}))
        return
    for report in done:
        process = "" if report.pid is None else f", process {report.pid}"
        typer.echo(f"{report.part}: {report.outcome}{process}")
