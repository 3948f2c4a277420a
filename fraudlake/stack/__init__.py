"""The local stack: the real servers as supervised processes, without containers.

``jars`` and ``kernel`` bring what the servers run, ``java`` and ``flink_home`` find what runs
them, ``kafka``, ``flink``, ``elasticsearch`` and ``workers`` say how each is started,
``supervisor`` keeps them running, ``readiness`` knows when they answer, ``lifecycle`` starts the
whole, ``shutdown`` stops it, and ``status`` looks at it.
"""
