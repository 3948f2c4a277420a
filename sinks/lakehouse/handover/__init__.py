"""The sink's work given to a Flink job, and taken back: one of the two writes, never both."""
