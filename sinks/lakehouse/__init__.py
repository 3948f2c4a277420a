"""Kafka to Iceberg: decisions, labels and dead letters as tables, each record in exactly one row.

``run`` moves records, ``tables`` says what is stored, ``position`` how far each table has got, and
``ledger`` is the one place that commits. ``query`` opens the same tables for SQL, ``progress`` for
checks. Nothing outside ``iceberg`` touches what pyiceberg does not promise to keep.
"""
