"""The records of every topic: for each a JSON Schema, and a module that reads and writes it."""
