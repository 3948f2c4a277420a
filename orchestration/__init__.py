"""Dagster, the control plane: it deploys, watches and prepares, and never moves a record itself.

What Dagster loads lies in ``defs/``; the rest is what those definitions are made of. The stream and
the sinks run on without it: a materialization means "this is in place now", not "this is running
here".
"""
