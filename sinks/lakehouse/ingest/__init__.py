"""From Kafka into the tables: read, decoded, committed with the position, by the sink."""
