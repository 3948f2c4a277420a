"""The domain as data and pure functions: contracts, topics, features, rules, generator, replay.

Installs into both environments: nothing here needs more than the standard library and sqlglot,
except the edge modules named in the import contract of ``pyproject.toml``.
"""
