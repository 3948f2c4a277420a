"""One query over one table in a Flink of its own: ``python flink_query.py FOLDER``.

A program, not a function: the JVM that pyflink starts, and what its packages warn of when they are
imported, end with it. Reads ``query.json`` (column types, expressions, the kernel's jar) and
``rows.json`` from the folder, and writes ``answer.json``: for each row its values, in the order of
the rows.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from pyflink.common import Configuration
from pyflink.table import EnvironmentSettings, TableEnvironment

from flink_jobs.decisions import FIXED_TEXT


def main(folder: Path) -> None:
    query = json.loads((folder / "query.json").read_text(encoding="utf-8"))
    configuration = Configuration()
    configuration.set_string("parallelism.default", "1")
    configuration.set_string("pipeline.jars", query["kernel"])
    environment = TableEnvironment.create(
        EnvironmentSettings.new_instance()
        .in_streaming_mode()
        .with_configuration(configuration)
        .build()
    )
    environment.execute_sql(
        f"CREATE TEMPORARY SYSTEM FUNCTION f_fixed AS '{FIXED_TEXT}' LANGUAGE JAVA"
    )
    columns = ", ".join(f"`{name}` {kind}" for name, kind in query["columns"].items())
    rows = (folder / "rows.json").as_uri()
    environment.execute_sql(
        f"CREATE TEMPORARY TABLE data (`n` INT, {columns}) WITH "
        f"('connector' = 'filesystem', 'format' = 'json', 'path' = '{rows}')"
    )
    selected = ", ".join(f"{sql} AS `e{i}`" for i, sql in enumerate(query["expressions"]))
    with environment.execute_sql(f"SELECT `n`, {selected} FROM data").collect() as found:
        answer = sorted(list(row) for row in found)
    (folder / "answer.json").write_text(json.dumps([row[1:] for row in answer]), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
