"""Asking the lakehouse from a terminal: how answers look, and the prompt."""
