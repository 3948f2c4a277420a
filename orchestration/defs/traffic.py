"""The job ``send_traffic``: something to look at, from the generator or from a file."""

import dagster as dg
from pydantic import Field

from orchestration.failures import translate_failures
from orchestration.resources import Traffic
from pipelines.errors import TerminalError


class TrafficConfig(dg.Config):
    """What to send."""

    rate: float = Field(default=200.0, gt=0, description="Transactions a second.")
    cards: int = Field(default=20_000, ge=1, description="How many cards shop.")
    fraud_rate: float = Field(
        default=0.01, ge=0, le=0.5, description="Share of fraudulent transactions."
    )
    seed: int = Field(default=7, description="The same seed gives the same stream.")
    count: int | None = Field(default=6_000, ge=1, description="Stop after so many transactions.")
    duration: str | None = Field(
        default=None, description="Stop after so much event time: 30s, 5m, 2h. Beside `count`."
    )
    replay_file: str | None = Field(
        default=None,
        description="Replay this file of transactions instead, such as "
        "docs/examples/bank_history.csv; the fields above then do not count.",
    )
    replay_mapping: str | None = Field(
        default=None, description="The TOML file that says what the columns of the file mean."
    )
    replay_speed: str = Field(
        default="max", description="By event time: 1x, 10x, or max for as fast as possible."
    )
    replay_start_at: str | None = Field(
        default=None,
        description="Move all event times so that the first lands here: now, or a time.",
    )


@dg.op
def send(
    context: dg.OpExecutionContext, config: TrafficConfig, traffic: dg.ResourceParam[Traffic]
) -> None:
    """Run the producer, or the replay, to its end; its lines are in the log."""
    with translate_failures():
        summary = traffic.send(*write_command(config), log=context.log.info)
    context.log_event(
        dg.AssetObservation(
            asset_key=dg.AssetKey(["kafka", "transactions"]),
            description="Sent by the job send_traffic.",
            metadata={name: value for name, value in summary.items() if _is_plain(value)},
        )
    )


@dg.job(
    description=(
        "Send transactions: customers first, then payments with some fraud among them, then "
        "labels. Or replay a file. The command line's `fraudlake produce` and `fraudlake replay`."
    ),
    # Tried again after a crash, it would send the same once more.
    tags={"domain": "fraud", "dagster/max_retries": "0", "dagster/max_runtime": "86400"},
)
def send_traffic() -> None:
    """One op; an endless producer is not for Dagster, which expects runs to end."""
    send()


def write_command(config: TrafficConfig) -> tuple[str, ...]:
    """The command line's words for what is wanted; TerminalError where they would not do."""
    if config.replay_file is not None:
        return _write_replay(config.replay_file, config)
    if config.count is None and config.duration is None:
        msg = "the traffic would never end: set count, duration or both"
        raise TerminalError(msg)
    options: list[str] = []
    for name in ("rate", "cards", "fraud_rate", "seed", "count", "duration"):
        value = getattr(config, name)
        if value is not None:
            options += [f"--{name.replace('_', '-')}", str(value)]
    return ("produce", *options, "--json")


def _write_replay(file: str, config: TrafficConfig) -> tuple[str, ...]:
    if config.replay_mapping is None:
        msg = f"replay_file={file} needs replay_mapping: the file that says what its columns mean"
        raise TerminalError(msg)
    options = ["--mapping", config.replay_mapping, "--speed", config.replay_speed]
    if config.replay_start_at is not None:
        options += ["--start-at", config.replay_start_at]
    return ("replay", file, *options, "--json")


def _is_plain(value: object) -> bool:
    return isinstance(value, str | int | float)
