"""The PyFlink job: what it computes as SQL text, and the program that submits it.

Runs in Flink's own environment (``.venv-flink``); everything else reaches it as a process and
through Flink's REST API.
"""
