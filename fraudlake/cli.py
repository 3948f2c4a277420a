"""The front door: ``fraudlake <noun or verb>``.

Exit codes: 0 done; 1 a check found something wrong; 2 the call or a setting is wrong;
3 another system is away (worth another try); 4 anything else that stops.
"""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.markup import escape

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


def main() -> None:
    """Run the command line; a known error is one sentence on stderr and an exit code."""
    try:
        app()
    except FraudlakeError as error:
        text = escape(str(error))  # a path or a log line may look like markup
        Console(stderr=True, soft_wrap=True).print(f"[red]error:[/red] {text}", highlight=False)
        sys.exit(_exit_code(error))
    except KeyboardInterrupt:
        Console(stderr=True).print("interrupted")
        sys.exit(130)


def _exit_code(error: FraudlakeError) -> int:
    if isinstance(error, SettingsError):
        return 2
    return 3 if isinstance(error, TransientError) else 4


if __name__ == "__main__":
    main()
