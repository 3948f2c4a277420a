"""The front door: ``fraudlake <noun or verb>``.

Exit codes: 0 done; 1 a check found something wrong; 2 the call or a setting is wrong;
3 another system is away (worth another try); 4 anything else that stops.
"""

from __future__ import annotations

import errno
import sys
from importlib import metadata
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from fraudlake.cases.harmless import strip_controls
from fraudlake.commands import register_commands
from pipelines.errors import FraudlakeError, SettingsError, TransientError

app = typer.Typer(
    name="fraudlake",
    help="Real-time card-fraud detection: start it, feed it, ask it, watch it.",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
register_commands(app)


def _tell_version(is_wanted: bool) -> None:
    if is_wanted:
        Console().print(f"fraudlake {metadata.version('fraudlake')}", highlight=False)
        raise typer.Exit


@app.callback()
def _front(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_tell_version, is_eager=True, help="Say which release this is."
        ),
    ] = False,
) -> None:
    """What stands before every command."""


_HOMES = "FRAUDLAKE_STACK_HOME (data and logs) or FRAUDLAKE_CACHE (jars)"
_REMEDIES: dict[int | None, str] = {
    errno.ENOSPC: f" Make room, or name a folder with more of it by {_HOMES}",
    errno.EDQUOT: f" Make room, or name a folder with more of it by {_HOMES}",
    errno.EACCES: f" Name a folder that you may write to by {_HOMES}",
    errno.EPERM: f" Name a folder that you may write to by {_HOMES}",
    errno.EROFS: f" Name a folder that can be written to by {_HOMES}",
    errno.ENOENT: f" Name a folder that can be made by {_HOMES}",
}


def main() -> None:
    """Run the command line; a known error is one sentence on stderr and an exit code."""
    try:
        app()
    except FraudlakeError as error:
        _say(str(error))
        sys.exit(_exit_code(error))
    except OSError as error:
        _say(_explain(error))
        sys.exit(4)
    except KeyboardInterrupt:
        Console(stderr=True).print("interrupted")
        sys.exit(130)


def _say(text: str) -> None:
    shown = escape(strip_controls(text))  # a path, a name or a log line may look like markup
    Console(stderr=True, soft_wrap=True).print(f"[red]error:[/red] {shown}", highlight=False)


def _explain(error: OSError) -> str:
    """The machine's own refusal: no space, no right, no such folder."""
    where = "" if error.filename is None else f"{error.filename}: "
    return f"{where}{error.strerror or error}.{_REMEDIES.get(error.errno, '')}"


def _exit_code(error: FraudlakeError) -> int:
    if isinstance(error, SettingsError):
        return 2
    return 3 if isinstance(error, TransientError) else 4


if __name__ == "__main__":
    main()
