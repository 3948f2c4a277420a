"""Questions in SQL: DuckDB over the files that Iceberg planned, and nothing can be changed."""
