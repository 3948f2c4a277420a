"""The yardstick of the benchmarks: the same bytes from topic to topic, exactly once, untouched."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from flink_jobs import tables
from flink_jobs.cluster import submit
from pipelines.settings import Settings


def main() -> int:
    """Submit the job and print its id as one JSON line."""
    parser = argparse.ArgumentParser(prog="flink_jobs.pass_through", description=__doc__)
    parser.add_argument("--jar", type=Path, action="append", default=[])
    arguments = parser.parse_args()
    settings = Settings.from_env()
    job_id = submit(
        settings,
        setup=tables.pass_through(settings.kafka, job=settings.flink.job_name),
        inserts=["INSERT INTO pass_out SELECT `record_key`, `raw` FROM pass_in"],
        jars=arguments.jar,
        savepoint=None,
        parameters="ruleset:none",
    )
    sys.stdout.write(json.dumps({"job_id": job_id, "ruleset": "none"}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
