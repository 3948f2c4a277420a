"""Watching the running stream: look once a minute, judge, and say when it must be repaired.

Looking asks servers (``looking``); everything else here is a pure function of what was seen.
"""
