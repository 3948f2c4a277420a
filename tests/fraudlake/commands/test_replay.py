from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fraudlake.cli import app
from pipelines.errors import MappingError, TerminalError

EXAMPLES = Path(__file__).parents[3] / "docs" / "examples"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("bank_history.csv", "bank_history.toml"):
        shutil.copy(EXAMPLES / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


def run(*options: str, file: str = "bank_history.csv") -> tuple[int, str, str]:
    arguments = ["replay", file, "--mapping", "bank_history.toml", "--dry-run", *options]
    result = CliRunner().invoke(app, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result.exit_code, result.stdout, re.sub(r"\s+│?\s*", " ", result.stderr)


def test_a_dry_run_needs_no_broker_and_shows_what_would_be_sent(folder: Path) -> None:
    code, stdout, _ = run()
    assert code == 0
    first = json.loads(stdout.splitlines()[0])
    assert first["currency"]
    assert first["BRANCH"]
    assert "would be sent  300" in stdout
    assert not (folder / "bank_history.csv.rejects.jsonl").exists()


def test_rejected_rows_are_written_down_and_end_in_exit_code_1(folder: Path) -> None:
    text = (folder / "bank_history.csv").read_text().replace(";PUR;", ";???;", 1)
    (folder / "bank_history.csv").write_text(text + "half a row\n")
    code, stdout, _ = run("--json")
    assert code == 1
    summary = json.loads(stdout)
    assert (summary["rows"], summary["sent"]) == (301, 299)
    assert summary["rejected"] == {"bad_row": 1, "unknown_value": 1}
    assert summary["rejects_file"] == "bank_history.csv.rejects.jsonl"
    rejects = [json.loads(line) for line in Path(summary["rejects_file"]).read_text().splitlines()]
    assert [each["reason"] for each in rejects] == ["unknown_value", "bad_row"]
    assert rejects[0]["original"]["TYPE"] == "???"
    assert rejects[1]["original"] == ["half a row"]
    assert (rejects[1]["row"], rejects[1]["detail"]) == (
        301,
        "line 302 has 1 values - must have 18, as the header",
    )


def test_rejects_may_be_allowed_and_go_elsewhere(folder: Path) -> None:
    (folder / "bank_history.csv").write_text(
        (folder / "bank_history.csv").read_text() + "half a row\n"
    )
    code, stdout, _ = run("--allow-rejects", "--rejects", "other.jsonl")
    assert code == 0
    assert "rejected: bad_row" in stdout
    assert "rejected rows are in other.jsonl" in stdout
    assert len(Path("other.jsonl").read_text().splitlines()) == 1


def test_a_limit_reads_so_many_rows(folder: Path) -> None:
    _, stdout, _ = run("--limit", "7", "--json")
    assert json.loads(stdout)["rows"] == 7


def test_the_first_transaction_lands_where_asked(folder: Path) -> None:
    _, stdout, _ = run("--start-at", "2026-06-01T12:00:00Z", "--json")
    summary = json.loads(stdout)
    assert summary["first_event_time"] == "2026-06-01T12:00:00.000Z"
    assert summary["last_event_time"] > "2026-06-02T00:00:00.000Z"


def test_times_ahead_of_the_clock_are_rejected_with_advice(folder: Path) -> None:
    code, stdout, _ = run("--start-at", "now")
    assert code == 1
    assert "rejected: event_time_in_future" in stdout
    assert "use --speed 1x, or an earlier --start-at" in stdout


def test_a_mapping_that_does_not_fit_is_refused_before_anything_is_sent(folder: Path) -> None:
    text = (folder / "bank_history.toml").read_text().replace('"CCY"', '"CURRENCY"')
    (folder / "bank_history.toml").write_text(text)
    with pytest.raises(MappingError, match="no column 'CURRENCY'"):
        run()
    (folder / "bank_history.toml").write_text(text.replace("[source]", "[sauce]"))
    with pytest.raises(MappingError, match="did you mean 'source'"):
        run()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--rejects", "bank_history.csv"), "must be another file than the one that is replayed"),
        (("--start-at", "today"), "must be now, or a time such as"),
    ],
)
def test_a_wrong_call_is_a_sentence_and_exit_code_2(
    folder: Path, options: tuple[str, ...], sentence: str
) -> None:
    code, _, stderr = run(*options)
    assert code == 2
    assert sentence in stderr
    assert (folder / "bank_history.csv").stat().st_size > 1000


def test_a_file_of_unknown_kind_or_not_there(folder: Path) -> None:
    code, _, stderr = run(file="bank_history.toml")
    assert code == 2
    assert "does not tell its format; set format under [source]" in stderr
    with pytest.raises(TerminalError, match="no such file"):
        run(file="other.csv")


def test_what_is_wrong_with_the_files_is_told_before_the_broker_is_asked(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FRAUDLAKE_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    arguments = ["replay", "other.csv", "--mapping", "bank_history.toml"]
    error = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, TerminalError)
    assert str(error) == "no such file: other.csv"


def test_help_teaches_with_an_example() -> None:
    shown = CliRunner().invoke(app, ["replay", "--help"]).output
    assert "docs/examples/bank_history.toml" in shown
