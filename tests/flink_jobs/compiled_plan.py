"""A plan that Flink has compiled, on standard output: ``python compiled_plan.py``.

A program, not a function: the JVM that pyflink starts, and what its packages warn of when they are
imported, end with it. One insert joins two statements, as the job does.
"""

from __future__ import annotations

import sys

from pyflink.table import EnvironmentSettings, TableEnvironment


def main() -> None:
    environment = TableEnvironment.create(
        EnvironmentSettings.new_instance().in_streaming_mode().build()
    )
    environment.execute_sql(
        "CREATE TEMPORARY TABLE `transactions` (a BIGINT) WITH ('connector' = 'datagen')"
    )
    for sink in ("outbox", "dead_letters"):
        environment.execute_sql(
            f"CREATE TEMPORARY TABLE `{sink}` (a BIGINT) WITH ('connector' = 'blackhole')"
        )
    statements = environment.create_statement_set()
    statements.add_insert_sql("INSERT INTO outbox SELECT a FROM transactions WHERE a > 0")
    statements.add_insert_sql("INSERT INTO dead_letters SELECT a FROM transactions WHERE a <= 0")
    sys.stdout.write(statements.compile_plan().as_json_string())


if __name__ == "__main__":
    main()
