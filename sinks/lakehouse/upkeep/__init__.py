"""What keeps the tables fast and small: compaction, expiry of snapshots, the sweep of stray files.

Each is safe beside the running sink and beside each other: what they commit lands on the very state
of the table it was made for or not at all, and only files that no reader can reach are deleted.
"""
