"""Replays a file of transactions in a foreign layout, at a chosen speed and from a chosen moment.

``sources`` reads rows, ``mapping`` says what they mean, ``convert`` makes transactions of them, and
``player`` sends them. A row that cannot be mapped is rejected with a reason, never lost.
"""
